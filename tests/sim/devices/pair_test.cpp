// Two or three devices, one scenario at a time.

#include <gtest/gtest.h>

#include "tests/sim/devices/play.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

using devices::Cause;
using devices::Event;
using devices::Presence;
using devices::Reply;
using devices::Sent;
using Kind = Event::Kind;

constexpr Duration period = 30 * second;

TEST(DevicesPair, two_devices_find_each_other_and_connect_once) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    play.expect_truth();
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(play.peer(i, play.name_of(1 - i))->is_ringpost);
        EXPECT_EQ(play[i].counters().connects, i == 0 ? 1u : 0u) << "the lower name opens";
        EXPECT_EQ(play[i].counters().hello_sent, 1u);
        EXPECT_EQ(play[i].counters().alive_sent, 1u) << "the first alive is also the answer";
        EXPECT_GT(play[i].counters().adverts_own, 0u);
    }
}

TEST(DevicesPair, a_later_device_is_answered) {
    DevicesPlay play(1, 2);
    play.start(1);
    play.run_for(10 * second);
    play.start(0);
    play.run_for(100 * millisecond);
    play.expect_truth();
    EXPECT_EQ(play[1].counters().alive_sent, 2u);
}

TEST(DevicesPair, alive_is_sent_every_period) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(10 * period);
    play.expect_truth();
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_GE(play[i].counters().alive_sent, 10u);
        EXPECT_LE(play[i].counters().alive_sent, 12u);
        EXPECT_EQ(play.count(i, Kind::suspect), 0u);
    }
}

TEST(DevicesPair, messages_arrive_once_and_in_order_however_the_stream_is_split) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{1'000}, SIZE_MAX}) {
        DevicesPlay play(cut, 2, {.link = {.delay = millisecond, .jitter = millisecond}, .streams = {cut, 4'096}});
        play.start_all();
        play.run_for(second);
        std::vector<std::string> sent;
        for (int i = 0; i < 500; ++i) {
            sent.push_back("message " + std::to_string(i) + std::string(static_cast<std::size_t>(i) % 90, 'x'));
            ASSERT_EQ(play.send(0, "b", sent.back()), Sent::queued);
            ASSERT_EQ(play.send(1, "a", sent.back()), Sent::queued);
        }
        play.run_for(2 * second);
        EXPECT_EQ(play.messages(1, "a"), sent);
        EXPECT_EQ(play.messages(0, "b"), sent);
    }
}

TEST(DevicesPair, a_slow_application_pauses_its_peer_and_loses_nothing) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    play.network.take_events(1, false);
    std::size_t sent = 0;
    const std::string filling(60'000, 'x');
    const auto send = [&] { return play.send(0, "b", std::to_string(sent) + filling); };
    for (int i = 0; i < 100; ++i) {
        while (send() == Sent::queued) ++sent;
        play.run_for(100 * millisecond);
    }
    EXPECT_LT(sent, 100u) << "the peer is paused, so the queue stays full";
    EXPECT_EQ(send(), Sent::queue_full);
    play.network.take_events(1, true);
    play.run_for(second);
    EXPECT_GE(play.count(0, Kind::room, "b"), 1u);
    const auto messages = play.messages(1, "a");
    ASSERT_EQ(messages.size(), sent);
    for (std::size_t i = 0; i < sent; ++i) EXPECT_EQ(messages[i], std::to_string(i) + filling);
}

TEST(DevicesPair, an_ask_ends_once_with_the_reply_of_each_name) {
    DevicesPlay play(1, 4);
    play.start_all();
    play.run_for(second);
    play.on_event = [&](std::size_t device, const Reported& reported) {
        if (reported.kind == Kind::question && device == 1)
            play.answer(1, reported.question, reported.text + " - 83 %");
    };
    const auto id = play.ask(0, {"b", "c", "nobody", "b"}, "battery?");
    ASSERT_TRUE(id);
    play.run_for(second);
    EXPECT_EQ(play.count(0, Kind::answers), 0u) << "c has not answered";
    play.run_for(1'100 * millisecond);
    ASSERT_EQ(play.count(0, Kind::answers), 1u);
    const Reported& reported = play.reported(0).back();
    EXPECT_EQ(reported.ask, *id);
    ASSERT_EQ(reported.answers.size(), 4u);
    EXPECT_EQ(reported.answers[0].reply, Reply::answered);
    EXPECT_EQ(reported.answers[0].text, "battery? - 83 %");
    EXPECT_EQ(reported.answers[1].reply, Reply::timed_out);
    EXPECT_EQ(reported.answers[2].reply, Reply::not_connected);
    EXPECT_EQ(reported.answers[3].text, "battery? - 83 %");
    // The answer of c is late now.
    for (const Reported& asked : play.reported(2))
        if (asked.kind == Kind::question) play.answer(2, asked.question, "now");
    play.run_for(second);
    EXPECT_EQ(play[0].counters().answers_late, 1u);
    EXPECT_EQ(play.count(0, Kind::answers), 1u);
}

TEST(DevicesPair, an_ask_ends_with_its_connection) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    ASSERT_TRUE(play.ask(0, {"b"}, "?", 100 * second));
    play.run_for(100 * millisecond);
    play.kill(1, false);
    play.run_for(second);
    ASSERT_EQ(play.count(0, Kind::answers), 1u);
    EXPECT_EQ(play.last(0, {Kind::answers}, "")->answers[0].reply, Reply::not_connected);
}

TEST(DevicesPair, a_killed_device_is_suspect_at_once_and_gone_after_two_periods) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(10 * second);
    play.kill(1, false);
    play.run_for(second);
    EXPECT_EQ(play.last(0, {Kind::disconnected}, "b")->cause, Cause::reset);
    EXPECT_EQ(play.peer(0, "b")->presence, Presence::suspect);
    play.run_for(2 * period);
    EXPECT_EQ(play[0].peer_count(), 0u);
    EXPECT_EQ(play.count(0, Kind::gone, "b"), 1u);
}

TEST(DevicesPair, a_silent_device_is_suspect_after_two_periods_and_gone_after_five) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(100 * millisecond);
    play.kill(1, true);
    play.run_for(2 * period - second);
    EXPECT_EQ(play.peer(0, "b")->presence, Presence::alive);
    play.run_for(2 * second);
    EXPECT_EQ(play.peer(0, "b")->presence, Presence::suspect);
    EXPECT_EQ(play[0].counters().pings_sent, 1u);
    play.run_for(3 * period - 3 * second);
    EXPECT_EQ(play[0].peer_count(), 1u);
    play.run_for(4 * second);
    EXPECT_EQ(play[0].peer_count(), 0u);
    EXPECT_EQ(play.last(0, {Kind::disconnected}, "b")->cause, Cause::gone);
}

TEST(DevicesPair, a_peer_whose_adverts_are_lost_is_pinged_and_replies) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    // From now on, a receives only unicast from b.
    play[1].remove_interface(0);
    play.run_for(2 * period + second);
    EXPECT_EQ(play.count(0, Kind::suspect, "b"), 1u);
    EXPECT_EQ(play.count(1, Kind::rejoin), 1u);
    play[1].add_interface(play.network.now(), 0, play.address_of(1));
    play.network.wake(1);
    play.run_for(second);
    play.expect_truth();
    EXPECT_EQ(play.count(0, Kind::back, "b"), 1u);
    EXPECT_EQ(play.count(0, Kind::disconnected), 0u);
}

TEST(DevicesPair, a_restarted_peer_is_reconnected_although_its_host_sent_no_reset) {
    for (const std::size_t restarted : {0u, 1u}) {
        DevicesPlay play(1, 2);
        play.start_all();
        play.run_for(10 * second);
        play.kill(restarted, true);
        play.run_for(10 * second);
        play.start(restarted);
        play.run_for(second);
        play.expect_truth();
    }
}

TEST(DevicesPair, a_restarted_peer_is_reconnected_although_its_hello_was_lost) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(10 * second);
    play.kill(1, true);
    play.run_for(10 * second);
    play.start(1);
    std::uint64_t first = UINT64_MAX;
    play.network.decide([&](std::uint64_t n) {
        first = std::min(first, n);
        return Fate{.copies = n - first < 2 ? 0u : 1u};
    });
    play.run_for(4 * period);
    play.expect_truth();
}

TEST(DevicesPair, a_peer_restarted_at_another_address_is_found) {
    for (const bool silently : {true, false}) {
        DevicesPlay play(1, 2);
        play.start_all();
        play.run_for(10 * second);
        play.kill(1, silently);
        play.run_for(second);
        play.start(1, Address::v4(10, 0, 0, 77, 3'235));
        play.run_for(10 * second);
        play.expect_truth();
        EXPECT_EQ(play.count(0, Kind::gone, "b"), 1u);
        EXPECT_EQ(play.count(0, Kind::appeared, "b"), 2u);
    }
}

TEST(DevicesPair, of_two_devices_with_one_name_the_first_keeps_it) {
    DevicesPlay play(1, 3);
    play.start(0);
    play.start(1);
    play.run_for(second);
    play.start(2, {}, "b");
    play.run_for(4 * period);
    const devices::Peer* kept = play.peer(0, "b");
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->address.ip, play.address_of(1).ip);
    EXPECT_TRUE(kept->connected);
    EXPECT_EQ(play.count(0, Kind::conflict, "b"), 1u);
    EXPECT_EQ(play.last(0, {Kind::conflict}, "b")->address.ip, play.address_of(2).ip);
    EXPECT_EQ(play.count(0, Kind::disconnected), 0u);
    EXPECT_EQ(play.count(0, Kind::gone), 0u);
    EXPECT_GE(play.count(1, Kind::name_taken), 1u);
    EXPECT_GE(play.count(2, Kind::name_taken), 1u);
    // When the first is gone, the other takes the name.
    play.kill(1, false);
    play.run_for(2 * period);
    EXPECT_EQ(play.peer(0, "b")->address.ip, play.address_of(2).ip);
    EXPECT_TRUE(play.peer(0, "b")->connected);
}

TEST(DevicesPair, a_partition_of_any_length_heals) {
    for (const Duration length : {10 * second, 100 * second, 140 * second, 155 * second, 400 * second}) {
        SCOPED_TRACE(length / second);
        DevicesPlay play(static_cast<std::uint64_t>(length), 2);
        play.start_all();
        play.run_for(7 * second);
        play.cut({1}, true);
        play.run_for(length);
        EXPECT_EQ(play[0].peer_count(), length > 5 * period ? 0u : 1u);
        play.cut({1}, false);
        play.run_for(3 * period);
        play.expect_truth();
    }
}

TEST(DevicesPair, a_link_that_comes_back_sends_hello) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    play.take_link(1, false);
    play.run_for(6 * period);
    EXPECT_EQ(play[0].peer_count(), 0u);
    EXPECT_EQ(play[1].peer_count(), 0u);
    play.take_link(1, true);
    play.run_for(second);
    play.expect_truth();
    EXPECT_EQ(play[1].counters().hello_sent, 2u);
}

TEST(DevicesPair, a_goodbye_takes_effect_at_once) {
    DevicesPlay play(1, 2);
    play.start_all();
    play.run_for(second);
    for (int i = 0; i < 100; ++i) play.send(1, "a", std::to_string(i));
    play[1].close(play.network.now());
    play.network.wake(1);
    play.run_for(second);
    EXPECT_TRUE(play[1].finished());
    EXPECT_EQ(play.messages(0, "b").size(), 100u) << "queued messages are sent first";
    EXPECT_EQ(play.last(0, {Kind::disconnected}, "b")->cause, Cause::goodbye);
    EXPECT_EQ(play[0].peer_count(), 0u);
    EXPECT_EQ(play.send(1, "a", "too late"), Sent::not_connected);
}

TEST(DevicesPair, a_peer_that_refuses_connections_is_retried_with_back_off) {
    DevicesPlay play(1, 2);
    play.network.listen(1, false);
    play.start_all();
    play.run_for(10 * period);
    EXPECT_EQ(play.peer(0, "b")->presence, Presence::alive) << "its adverts are received";
    EXPECT_EQ(play.peer(0, "b")->last_cause, Cause::refused);
    EXPECT_GE(play[0].counters().connects, 10u);
    EXPECT_LE(play[0].counters().connects, 25u);
    play.network.listen(1, true);
    play.run_for(2 * period);
    play.expect_truth();
}

TEST(DevicesPair, a_seed_works_where_multicast_does_not_reach) {
    for (const std::size_t seeding : {0u, 1u}) {
        DevicesKnobs knobs;
        knobs.options = [&](devices::Options& options) {
            options.group = Address::v4(10, 0, 0, 99, 3'235);  // no such host
            if (options.name == DevicesPlay::name_of(seeding)) options.seeds = {DevicesPlay::address_of(1 - seeding)};
        };
        DevicesPlay play(1, 2, knobs);
        play.start_all();
        play.run_for(5 * second);
        play.expect_truth();
    }
}

}  // namespace
}  // namespace ringpost::sim
