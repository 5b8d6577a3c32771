// More messages in flight than a slow link carries in a round trip.

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <utility>

#include "tests/sim/gtudp/duo.hpp"

namespace ringpost::sim {
namespace {

constexpr Duration minute = 60 * second;
constexpr double rate = 1.25e6;  // bytes per second: 10 Mbit/s

struct SlowLink {
    CongestionControl congestion = CongestionControl::cubic;
    std::size_t message_bytes = 64, queue_bytes = 64 << 10;
    std::uint64_t messages = 12'000;
};

/// Sends all messages from one node to the other with up to 8,192 in flight, over 10 Mbit/s and 20 ms. Returns the
/// sender's counters, and the time in proportion to what DATA and ACKs of all messages take on the link.
std::pair<gtudp::Counters, double> play(const SlowLink& settings) {
    gtudp::Options options = small_options(1);
    options.congestion = settings.congestion;
    options.sends_max = options.receives_max = 16'384;
    options.payload_bytes = options.event_bytes = 16 << 20;
    gtudp::Endpoint sender(options), receiver(options);
    Network network(1);
    network.add(duo_addresses[0], sender);
    network.add(duo_addresses[1], receiver);
    network.link_both(0, 1, {.delay = 10 * millisecond, .rate = rate, .queue_bytes = settings.queue_bytes});
    const std::string text(settings.message_bytes, 'x');
    while (sender.counters().taken - sender.in_flight() < settings.messages) {
        while (sender.in_flight() < 8'192 && sender.counters().taken < settings.messages)
            EXPECT_TRUE(sender.send(network.now(), duo_addresses[1], bytes_of(text)));
        network.wake(0);
        EXPECT_NE(network.run_until(network.now() + millisecond), Outcome::livelock);
    }
    const gtudp::Counters counts = sender.counters();
    constexpr std::size_t headers = 28, frame = 5;
    const double least =
        static_cast<double>(settings.messages * (settings.message_bytes + 2 * (headers + frame))) / rate * 1e9;
    const double time = static_cast<double>(network.now()) / least;
    std::printf("%zu bytes, queue %zu: %.3f of the time, resent %.3f, gave up %llu, RECVs resent %.3f\n",
                settings.message_bytes, settings.queue_bytes, time,
                static_cast<double>(counts.data_resent) / static_cast<double>(settings.messages),
                static_cast<unsigned long long>(counts.gave_up_attempts),
                static_cast<double>(receiver.counters().recv_resent) / static_cast<double>(settings.messages));
    EXPECT_EQ(counts.confirmed + counts.gave_up_attempts, settings.messages);
    return {counts, time};
}

TEST(GtudpSlowLink, without_congestion_control_resends_displace_the_messages) {
    const auto [counts, time] =
        play({.congestion = CongestionControl::fixed, .message_bytes = 1'000, .messages = 20'000});
    EXPECT_GT(counts.data_resent, 20'000u);
    EXPECT_GT(counts.gave_up_attempts, 20'000u / 4);
}

TEST(GtudpSlowLink, cubic_loses_nothing_and_resends_little) {
    for (const std::size_t message_bytes : {64u, 1'000u})
        for (const std::size_t queue_bytes : {32u << 10, 64u << 10, 256u << 10, 1u << 20}) {
            const std::uint64_t messages = message_bytes < 100 ? 40'000 : 12'000;
            const auto [counts, time] =
                play({.message_bytes = message_bytes, .queue_bytes = queue_bytes, .messages = messages});
            EXPECT_EQ(counts.gave_up_attempts, 0u);
            EXPECT_LT(counts.data_resent, messages / 20);
            EXPECT_LT(time, 1.2);
        }
}

// The round trip grows within one from 20 ms to 1 s, and no answer comes before the timeout any more.
TEST(GtudpSlowLink, a_path_that_becomes_slower_than_the_timeout_is_measured) {
    Duo duo(1, small_options(1), {.delay = 10 * millisecond});
    const auto trickle = [&](int count) {
        for (int i = 0; i < count; ++i) {
            duo.send(0, "message " + std::to_string(i));
            duo.network.run_until(duo.network.now() + 100 * millisecond);
        }
    };
    trickle(20);
    duo.network.link_both(0, 1, {.delay = 500 * millisecond});
    trickle(300);
    const auto before = duo.endpoints[0]->counters();
    trickle(100);
    EXPECT_GT(duo.endpoints[0]->rtt(duo_addresses[1]), 900 * millisecond);
    EXPECT_EQ(duo.endpoints[0]->counters().data_resent, before.data_resent);
    duo.finish();
}

// A peer that does not answer holds up its own messages only; those end at their deadline, or are cancelled.
TEST(GtudpSlowLink, what_waits_for_a_window_can_end) {
    Duel duel(small_options(1));
    const std::string large(3'000, 'x');
    for (int i = 0; i < 4; ++i) duel.send(duo_addresses[1], large);
    const auto cancelled = duel.send(duo_addresses[1], large);
    const Instant deadline = 100 * millisecond;
    ASSERT_TRUE(duel.endpoint.send(0, duo_addresses[1], bytes_of(large), deadline));
    duel.send(duo_addresses[1], "last");
    duel.send(Duel::probe_at(1), "to another");
    duel.network.run_until(50 * millisecond);
    EXPECT_EQ(duel.datas().size(), 4u) << "the first window";
    EXPECT_EQ(duel.datas(1).size(), 1u);
    EXPECT_TRUE(duel.endpoint.cancel(cancelled));
    duel.network.run_until(200 * millisecond);
    ASSERT_EQ(duel.ends.size(), 2u);
    EXPECT_EQ(duel.ends[0].event.outcome, gtudp::Outcome::cancelled);
    EXPECT_EQ(duel.ends[1].event.outcome, gtudp::Outcome::gave_up_deadline);
    EXPECT_EQ(duel.ends[1].at, deadline);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.ends.size(), 8u);
}

// With few of them in flight at a time, giving up one after the other would take hours.
TEST(GtudpSlowLink, all_messages_to_a_dead_peer_end_soon) {
    for (const bool dies : {false, true}) {
        gtudp::Options options = small_options(1);
        options.sends_max = options.receives_max = 4'096;
        options.payload_bytes = options.event_bytes = 8 << 20;
        Duo duo(1, options, {.loss = dies ? 0.0 : 1.0, .delay = 10 * millisecond});
        const std::string large(1'000, 'x');
        int sent = 0;
        const auto fill = [&] {
            while (duo.endpoints[0]->in_flight() < 4'000) duo.send(0, std::to_string(sent++) + large);
        };
        for (int i = 0; i < 30; ++i) {
            fill();
            duo.network.run_until(duo.network.now() + 10 * millisecond);
            if (!dies) break;
        }
        duo.network.link_both(0, 1, {.loss = 1});
        const Instant from = duo.network.now();
        EXPECT_NE(duo.network.run_until(from + minute), Outcome::livelock);
        EXPECT_EQ(duo.endpoints[0]->in_flight(), 0u);
        EXPECT_GT(duo.endpoints[0]->counters().gave_up_attempts, 1'000u);
    }
}

}  // namespace
}  // namespace ringpost::sim
