#include "codec/recovery/congestion.hpp"

#include <gtest/gtest.h>

namespace ringpost::recovery {
namespace {

constexpr std::uint32_t packet = 1'000;

/// A window's worth of acknowledgements, one per packet, one round trip after they were sent.
struct Flow {
    explicit Flow(Cubic start = Cubic(packet)) : cubic(start) {}

    void round(Duration rtt, bool app_limited = false) {
        const auto packets = static_cast<std::uint64_t>(cubic.window_packets());
        const Instant sent_at = now + 1;
        const std::uint64_t first = next;
        for (std::uint64_t i = 0; i < packets; ++i) cubic.on_sent(sent_at, next++);
        now += rtt;
        estimate.sample(rtt, 0);
        for (std::uint64_t i = 0; i < packets; ++i)
            cubic.on_ack(now, {packet, packets * packet, sent_at, first + i, true, app_limited}, estimate);
    }
    void lose(std::uint64_t packets = 1) { cubic.on_lost(now, {packets * packet, packets, now, false}); }

    Cubic cubic;
    Rtt estimate;
    Instant now = 0;
    std::uint64_t next = 0;
};

TEST(RecoveryCubic, doubles_in_slow_start) {
    Flow flow;
    EXPECT_EQ(flow.cubic.window(), 10u * packet);
    flow.round(50 * millisecond);
    EXPECT_EQ(flow.cubic.window(), 20u * packet);
    flow.round(50 * millisecond);
    EXPECT_EQ(flow.cubic.window(), 40u * packet);
    EXPECT_TRUE(flow.cubic.in_slow_start());
}

TEST(RecoveryCubic, one_reduction_per_round_trip) {
    Flow flow;
    for (int i = 0; i < 4; ++i) flow.round(50 * millisecond);
    const std::uint64_t before = flow.cubic.window();
    flow.lose();
    EXPECT_NEAR(static_cast<double>(flow.cubic.window()), static_cast<double>(before) * 0.7, 2);
    flow.cubic.on_lost(flow.now + millisecond, {packet, 1, flow.now - millisecond, false});
    EXPECT_NEAR(static_cast<double>(flow.cubic.window()), static_cast<double>(before) * 0.7, 2)
        << "sent before the reduction";
    flow.now += 2 * millisecond;
    flow.lose();
    EXPECT_NEAR(static_cast<double>(flow.cubic.window()), static_cast<double>(before) * 0.49, 2);
}

TEST(RecoveryCubic, late_packets_undo_the_reduction) {
    Flow flow;
    for (int i = 0; i < 4; ++i) flow.round(50 * millisecond);
    const double before = flow.cubic.window_packets();
    flow.lose(3);
    flow.cubic.on_late(flow.now, 2);
    EXPECT_LT(flow.cubic.window_packets(), before) << "one of three is still lost";
    flow.cubic.on_late(flow.now, 1);
    EXPECT_EQ(flow.cubic.window_packets(), before);
    EXPECT_TRUE(flow.cubic.in_slow_start());
    flow.cubic.on_late(flow.now, 1);
    EXPECT_EQ(flow.cubic.window_packets(), before);
}

TEST(RecoveryCubic, persistent_congestion_starts_again) {
    Flow flow;
    for (int i = 0; i < 5; ++i) flow.round(50 * millisecond);
    flow.cubic.on_lost(flow.now, {packet, 1, flow.now, true});
    EXPECT_EQ(flow.cubic.window(), 2u * packet);
    EXPECT_TRUE(flow.cubic.in_slow_start());
}

TEST(RecoveryCubic, does_not_grow_while_the_application_limits) {
    Flow flow;
    flow.round(50 * millisecond, true);
    EXPECT_EQ(flow.cubic.window(), 10u * packet);
    for (int i = 0; i < 5; ++i) flow.round(50 * millisecond);
    flow.lose();
    flow.round(50 * millisecond);
    const double before = flow.cubic.window_packets();
    for (int i = 0; i < 200; ++i) flow.round(50 * millisecond, true);
    EXPECT_EQ(flow.cubic.window_packets(), before);
    flow.round(50 * millisecond);
    EXPECT_LT(flow.cubic.window_packets(), before * 1.1) << "ten seconds of idling give no jump";
}

// RFC 9406: the round trip grows by more than an eighth: a quarter of the growth for five rounds, then no more.
TEST(RecoveryCubic, leaves_slow_start_when_the_round_trip_grows) {
    Flow flow;
    for (int i = 0; i < 3; ++i) flow.round(50 * millisecond);
    const double before = flow.cubic.window_packets();
    EXPECT_EQ(before, 80);
    flow.round(58 * millisecond);  // eight samples, then the conservative growth
    EXPECT_NEAR(flow.cubic.window_packets(), before + 8 + 72 / 4.0, 1);
    for (int i = 0; i < 5; ++i) flow.round(58 * millisecond);
    EXPECT_FALSE(flow.cubic.in_slow_start());
    EXPECT_LT(flow.cubic.window_packets(), before * 5);
}

TEST(RecoveryCubic, resumes_slow_start_when_the_growth_was_jitter) {
    Flow flow;
    for (int i = 0; i < 3; ++i) flow.round(50 * millisecond);
    flow.round(58 * millisecond);
    for (int i = 0; i < 2; ++i) flow.round(50 * millisecond);
    const double before = flow.cubic.window_packets();
    flow.round(50 * millisecond);
    EXPECT_NEAR(flow.cubic.window_packets(), 2 * before, 1);
}

TEST(RecoveryCubic, windows_keep_their_bytes_when_packets_grow) {
    Flow flow;
    for (int i = 0; i < 3; ++i) flow.round(50 * millisecond);
    const std::uint64_t before = flow.cubic.window();
    flow.cubic.set_packet_bytes(1'250);
    EXPECT_EQ(flow.cubic.window(), before);
}

TEST(RecoveryFixed, the_breaker_halves_and_recovers) {
    Fixed fixed({.rate = 1e6, .window = 64'000}, packet);
    Instant now = 0;
    const auto play = [&](int seconds, std::uint64_t lost) {
        for (int i = 0; i < 10 * seconds; ++i, now += 100 * millisecond) {
            fixed.on_ack(now, 100 - lost);
            fixed.on_lost(now, lost);
        }
    };
    play(10, 9);
    EXPECT_EQ(fixed.trips(), 0u) << "a tenth is allowed";
    play(2, 20);
    EXPECT_EQ(fixed.trips(), 0u) << "for less than three seconds, too";
    play(2, 0);
    play(4, 20);
    EXPECT_EQ(fixed.trips(), 1u);
    EXPECT_EQ(fixed.window(), 32'000u);
    EXPECT_EQ(fixed.pacing_rate(), 5e5);
    play(12, 20);
    EXPECT_GE(fixed.trips(), 4u);
    play(30, 0);
    EXPECT_EQ(fixed.window(), 64'000u);
    play(120, 20);
    EXPECT_EQ(fixed.window(), 2u * packet) << "sending goes on";
}

TEST(RecoveryFixed, without_the_breaker_it_is_constant) {
    Fixed fixed({.rate = 1e6, .window = 64'000, .breaker = false}, packet);
    for (Instant now = 0; now < 20 * second; now += 100 * millisecond) fixed.on_lost(now, 100);
    EXPECT_EQ(fixed.window(), 64'000u);
}

TEST(RecoveryCongestion, dispatches) {
    Congestion cubic{Cubic(packet)}, fixed{Fixed({.rate = 1e6, .window = 5'000}, packet)};
    Rtt rtt;
    EXPECT_EQ(cubic.window(), 10u * packet);
    EXPECT_EQ(cubic.pacing_rate(rtt), 0) << "before the first round trip";
    EXPECT_EQ(fixed.window(), 5'000u);
    EXPECT_EQ(fixed.pacing_rate(rtt), 1e6);
    rtt.sample(100 * millisecond, 0);
    EXPECT_EQ(cubic.pacing_rate(rtt), 2.5 * 10 * packet / 0.1);
    cubic.on_lost(1, {packet, 1, 1, false});
    EXPECT_EQ(cubic.window(), 7u * packet);
}

}  // namespace
}  // namespace ringpost::recovery
