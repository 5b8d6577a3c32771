#include "codec/confirmed/sender.hpp"

#include <gtest/gtest.h>

#include "tests/unit/codec/confirmed/helpers.hpp"

namespace ringpost::confirmed {
namespace {

TEST(ConfirmedSender, one_message_in_flight_and_the_rest_in_order) {
    Turning turning(options_toward(bob));
    for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(turning.send(text));
    EXPECT_EQ(turning.endpoint.in_flight(), 3u);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 one"});
    EXPECT_EQ(turning.turn_after(second), Texts{}) << "sent once, never retransmitted";
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 two"});
    turning.receive(bob, "no such thing", Status::failed);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 three"});
    EXPECT_EQ(turning.turn_after(9 * second), Texts{});
    EXPECT_EQ(turning.events(), (Texts{"1 confirmed confirmed", "2 failed no such thing", "3 timed out"}));
    EXPECT_EQ(turning.endpoint.in_flight(), 0u);
    EXPECT_EQ(turning.endpoint.peers(), 1u) << "its answer may still arrive: it was sent a second after send()";
    turning.turn_after(second);
    EXPECT_EQ(turning.endpoint.peers(), 0u);
    EXPECT_FALSE(turning.endpoint.poll_timeout());
    const Counters& counts = turning.endpoint.counters();
    EXPECT_EQ(counts.taken, 3u);
    EXPECT_EQ(counts.confirmed, 1u);
    EXPECT_EQ(counts.failed, 1u);
    EXPECT_EQ(counts.timed_out, 1u);
    EXPECT_EQ(counts.timed_out_waiting, 0u);
}

TEST(ConfirmedSender, peers_do_not_wait_for_each_other) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("to bob"));
    ASSERT_TRUE(turning.send("to alice", {.to = alice}));
    ASSERT_TRUE(turning.send("to alice too", {.to = alice}));
    EXPECT_EQ(turning.turn(), (Texts{"2:5005 to bob", "1:5005 to alice"}));
    turning.receive(alice, "confirmed", Status::ok);
    EXPECT_EQ(turning.turn(), Texts{"1:5005 to alice too"});
    turning.receive(alice, "confirmed", Status::ok);
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), (Texts{"2 confirmed confirmed", "3 confirmed confirmed", "1 confirmed confirmed"}));
    EXPECT_EQ(turning.endpoint.peers(), 0u);
}

TEST(ConfirmedSender, an_answer_from_any_port_of_the_peer_counts_and_no_other) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("hello"));
    turning.turn();
    turning.receive(alice, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{});
    turning.receive(elsewhere(bob), "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"1 confirmed confirmed"});
    EXPECT_EQ(turning.endpoint.counters().answers_stray, 1u);
}

TEST(ConfirmedSender, an_answer_from_another_address_counts_for_the_target_if_configured) {
    Options options = options_toward(bob);
    options.confirm_from_any = true;
    Turning turning(options);
    ASSERT_TRUE(turning.send("to bob"));
    ASSERT_TRUE(turning.send("to alice", {.to = alice}));
    turning.turn();
    turning.receive(alice, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"2 confirmed confirmed"}) << "a peer's own answer ends its own message";
    turning.receive(Address::v4(10, 0, 0, 9, 7), "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"1 confirmed confirmed"});
    turning.receive(Address::v4(10, 0, 0, 9, 7), "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.endpoint.counters().answers_stray, 1u);
}

TEST(ConfirmedSender, programs_on_one_host_are_one_peer_unless_replies_go_to_the_source) {
    const Address other = elsewhere(bob, 6'000);
    {
        Turning turning(options_toward(bob));
        ASSERT_TRUE(turning.send("one"));
        ASSERT_TRUE(turning.send("two", {.to = other}));
        EXPECT_EQ(turning.turn(), Texts{"2:5005 one"}) << "the answer could not be matched";
        turning.receive(elsewhere(bob), "confirmed", Status::ok);
        EXPECT_EQ(turning.turn(), Texts{"2:6000 two"});
    }
    Options options = options_toward(bob);
    options.reply = Reply::to_source;
    Turning turning(options);
    ASSERT_TRUE(turning.send("one"));
    ASSERT_TRUE(turning.send("two", {.to = other}));
    EXPECT_EQ(turning.turn(), (Texts{"2:5005 one", "2:6000 two"}));
    turning.receive(elsewhere(bob), "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{});
    turning.receive(other, "confirmed", Status::ok);
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), (Texts{"2 confirmed confirmed", "1 confirmed confirmed"}));
}

TEST(ConfirmedSender, a_deadline_includes_the_time_in_the_queue) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one"));
    turning.turn();
    ASSERT_TRUE(turning.send("two", {.timeout = second}));
    ASSERT_TRUE(turning.send("three", {.timeout = 30 * second}));
    EXPECT_EQ(turning.turn_after(second - 1), Texts{});
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.turn_after(1), Texts{});
    EXPECT_EQ(turning.events(), Texts{"2 timed out waiting"});
    EXPECT_EQ(turning.turn_after(9 * second), Texts{"2:5005 three"}) << "answers arrive within those ten seconds";
    EXPECT_EQ(turning.events(), Texts{"1 timed out"});
    EXPECT_EQ(turning.endpoint.counters().timed_out_waiting, 1u);
}

TEST(ConfirmedSender, after_a_timeout_the_next_message_waits_until_no_answer_can_arrive) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    ASSERT_TRUE(turning.send("two", {.timeout = 60 * second}));
    turning.turn();
    EXPECT_EQ(turning.turn_after(second), Texts{});
    EXPECT_EQ(turning.events(), Texts{"1 timed out"});
    EXPECT_EQ(turning.turn_after(9 * second - 1), Texts{});
    EXPECT_EQ(turning.turn_after(1), Texts{"2:5005 two"});
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"2 confirmed confirmed"});
}

TEST(ConfirmedSender, after_a_timeout_the_late_answer_confirms_nothing_and_ends_the_wait) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    ASSERT_TRUE(turning.send("two", {.timeout = 60 * second}));
    turning.turn();
    turning.turn_after(second);
    turning.events();
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.endpoint.counters().answers_late, 1u);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 two"});
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"2 confirmed confirmed"});
}

TEST(ConfirmedSender, a_peer_is_kept_while_its_late_answer_may_arrive) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    turning.turn();
    turning.turn_after(second);
    EXPECT_EQ(turning.endpoint.in_flight(), 0u);
    EXPECT_EQ(turning.endpoint.peers(), 1u);
    ASSERT_TRUE(turning.send("two"));
    EXPECT_EQ(turning.turn(), Texts{});
    EXPECT_EQ(turning.turn_after(9 * second), Texts{"2:5005 two"});
}

TEST(ConfirmedSender, copies_of_an_answer_are_awaited_if_configured) {
    Options options = options_toward(bob);
    options.copies_within = 50 * millisecond;
    Turning turning(options);
    ASSERT_TRUE(turning.send("one"));
    ASSERT_TRUE(turning.send("two"));
    turning.turn();
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.turn(), Texts{});
    turning.receive(bob, "confirmed", Status::ok);
    turning.receive(bob, "failed", Status::failed);
    EXPECT_EQ(turning.events(), Texts{"1 confirmed confirmed"}) << "a copy, whatever its content";
    EXPECT_EQ(turning.endpoint.counters().answers_again, 2u);
    EXPECT_EQ(turning.turn_after(50 * millisecond - 1), Texts{});
    EXPECT_EQ(turning.turn_after(1), Texts{"2:5005 two"});
}

TEST(ConfirmedSender, copies_of_a_late_answer_are_awaited_too) {
    Options options = options_toward(bob);
    options.copies_within = 50 * millisecond;
    Turning turning(options);
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    ASSERT_TRUE(turning.send("two", {.timeout = 60 * second}));
    turning.turn();
    turning.turn_after(second);
    turning.receive(bob, "confirmed", Status::ok);
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.endpoint.counters().answers_late, 1u);
    EXPECT_EQ(turning.endpoint.counters().answers_again, 1u);
    EXPECT_EQ(turning.turn_after(50 * millisecond - 1), Texts{});
    EXPECT_EQ(turning.turn_after(1), Texts{"2:5005 two"});
    EXPECT_EQ(turning.turn_after(8 * second), Texts{}) << "the timer of the late answer was cancelled";
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), (Texts{"1 timed out", "2 confirmed confirmed"}));
}

TEST(ConfirmedSender, reports_are_sent_in_order_and_wait_for_nothing) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("done", {.status = Status::ok}));
    ASSERT_TRUE(turning.send("disk full", {.status = Status::failed}));
    ASSERT_TRUE(turning.send("hello"));
    ASSERT_TRUE(turning.send("after it", {.status = Status::ok}));
    EXPECT_EQ(turning.turn(), (Texts{"2:5005 +done", "2:5005 -disk full", "2:5005 hello"}));
    EXPECT_EQ(turning.events(), (Texts{"1 reported", "2 reported"}));
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 +after it"});
    EXPECT_EQ(turning.events(), (Texts{"3 confirmed confirmed", "4 reported"}));
    EXPECT_EQ(turning.endpoint.counters().reported, 3u);
    EXPECT_EQ(turning.endpoint.peers(), 0u);
}

TEST(ConfirmedSender, an_answer_before_anything_was_sent_is_unexpected) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one"));
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.turn(), Texts{"2:5005 one"});
    EXPECT_EQ(turning.endpoint.counters().answers_stray, 1u);
}

TEST(ConfirmedSender, a_message_that_times_out_in_the_queue_leaves_no_state) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    turning.now += second;
    turning.endpoint.handle_timeout(turning.now);
    EXPECT_EQ(turning.events(), Texts{"1 timed out waiting"});
    EXPECT_EQ(turning.turn(), Texts{});
    EXPECT_EQ(turning.endpoint.peers(), 0u);
    ASSERT_TRUE(turning.send("two"));
    EXPECT_EQ(turning.turn(), Texts{"2:5005 two"});
}

TEST(ConfirmedSender, the_middle_of_a_queue_can_time_out) {
    Turning turning(options_toward(bob));
    for (const Duration timeout : {10, 2, 10, 1, 10}) ASSERT_TRUE(turning.send("m", {.timeout = timeout * second}));
    turning.turn();
    turning.turn_after(2 * second);
    EXPECT_EQ(turning.events(), (Texts{"4 timed out waiting", "2 timed out waiting"}));
    for (int i = 0; i < 3; ++i) {
        turning.receive(bob, "confirmed", Status::ok);
        turning.turn();
    }
    EXPECT_EQ(turning.events(), (Texts{"1 confirmed confirmed", "3 confirmed confirmed", "5 confirmed confirmed"}));
}

TEST(ConfirmedSender, refusals) {
    Options options = options_toward(Address{});
    options.sends_max = 4;
    options.sends_per_peer_max = 2;
    options.peers_max = 2;
    Turning turning(options);
    const auto refused = [&](std::string_view text, const Address& to) {
        const auto sent = turning.send(text, {.to = to});
        return sent ? std::optional<Refusal>() : sent.error().reason;
    };
    EXPECT_EQ(refused("nobody", {}), Refusal::no_target);
    EXPECT_EQ(refused("one", alice), std::nullopt);
    EXPECT_EQ(refused("two", alice), std::nullopt);
    EXPECT_EQ(refused("three", alice), Refusal::queue_full);
    EXPECT_EQ(refused("one", bob), std::nullopt);
    EXPECT_EQ(refused("one", Address::v4(10, 0, 0, 3, 5'005)), Refusal::peers_full);
    EXPECT_EQ(refused("two", bob), std::nullopt);
    EXPECT_EQ(refused("three", bob), Refusal::queue_full);
    turning.turn();
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(refused("three", bob), Refusal::queue_full) << "the outcome has not been polled yet";
    EXPECT_EQ(turning.events().size(), 1u);
    EXPECT_EQ(refused("three", bob), std::nullopt);
    const Counters& counts = turning.endpoint.counters();
    EXPECT_EQ(counts.refused_no_target, 1u);
    EXPECT_EQ(counts.refused_queue_full, 3u);
    EXPECT_EQ(counts.refused_peers_full, 1u);
    EXPECT_EQ(counts.taken, 5u);
}

TEST(ConfirmedSender, a_message_that_does_not_fit_is_refused_with_its_size) {
    Turning turning(options_toward(bob));
    const std::size_t frame_bytes = encode({text_value(""), Status::none}).size();
    EXPECT_TRUE(turning.send(std::string(limits::confirmed_bytes_max - frame_bytes, 'x')));
    const auto refused = turning.send(std::string(limits::confirmed_bytes_max - frame_bytes + 1, 'x'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Refusal::too_large);
    EXPECT_EQ(refused.error().bytes, limits::confirmed_bytes_max + 1);
    // The limit applies to the datagram, including escapes.
    EXPECT_FALSE(turning.send(std::string(limits::confirmed_bytes_max / 2, '"')));
    EXPECT_EQ(turning.endpoint.counters().refused_too_large, 2u);

    Options options = options_toward(bob);
    options.bytes_max = limits::datagram_bytes_max;
    Turning large(options);
    EXPECT_TRUE(large.send(std::string(limits::datagram_bytes_max - frame_bytes, 'x')));
    EXPECT_EQ(large.turn().front().size(), limits::datagram_bytes_max - frame_bytes + 7);
}

TEST(ConfirmedSender, a_text_that_is_not_utf8_is_refused) {
    Turning turning(options_toward(bob));
    const auto refused = turning.send("caf\xe9");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Refusal::not_utf8);
    EXPECT_EQ(refused.error().bytes, 4u);
    EXPECT_EQ(turning.endpoint.counters().refused_not_utf8, 1u);
}

TEST(ConfirmedSender, deadlines_may_be_infinite) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one", {.timeout = never}));
    turning.turn();
    EXPECT_EQ(turning.turn_after(1'000'000 * second), Texts{});
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(turning.events(), Texts{"1 confirmed confirmed"});
}

}  // namespace
}  // namespace ringpost::confirmed
