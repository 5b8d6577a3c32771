// How much arrives, and how much is sent for it.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/sim/native/pair.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

/// Keeps the log of node 0 full for `time`, on channel 0.
void pour(NativePair& pair, std::size_t bytes, Duration time) {
    const Instant end = pair.network.now() + time;
    while (pair.network.now() < end && !testing::Test::HasFailure()) {
        pair.send(0, 0, bytes, 1'000);
        pair.run_for(millisecond);
    }
}

// At a fixed rate, random losses cost what is lost, and no more.
TEST(NativeRate, fixed_under_random_loss) {
    for_each_seed(1, [](std::uint64_t seed) {
        for (const double loss : {0.01, 0.05, 0.3}) {
            NativeSettings settings;
            settings.options.congestion = CongestionControl::fixed;
            settings.options.fixed = {.rate = 2.5e6, .window = 1 << 20, .breaker = false};
            // With a window for one second: a message that is lost ten times holds up the others that long.
            settings.options.send_log_bytes = 4 << 20;
            settings.options.channel_window = settings.options.connection_window = 4 << 20;
            settings.link.loss = loss;
            NativePair pair(seed, settings);
            constexpr Duration time = 10 * second;
            pour(pair, 1'000, time);
            const auto& counts = pair.connection(0).statistics();
            const double arrived = static_cast<double>(pair.oracles[0].delivered_bytes());
            const double offered = 2.5e6 * static_cast<double>(time) / 1e9 * 1'000 / 1'025;
            std::printf("loss %.2f: goodput %.3f of the rate, sent %.3f times what arrived, %llu spurious\n", loss,
                        arrived / offered, static_cast<double>(counts.bytes_sent) / (arrived * 1.025),
                        static_cast<unsigned long long>(counts.packets_spurious));
            EXPECT_GE(arrived, 0.9 * (1 - loss) * offered);
            EXPECT_LE(static_cast<double>(counts.bytes_sent), 1.1 / (1 - loss) * arrived * 1.025 + 1e5);
        }
    });
}

// CUBIC fills a link with a queue of one bandwidth-delay product.
TEST(NativeRate, cubic_fills_a_link) {
    for (const Duration delay : {5 * millisecond, 50 * millisecond}) {
        NativeSettings settings;
        settings.options.send_log_bytes = 4 << 20;
        settings.options.channel_window = settings.options.connection_window = 8 << 20;
        settings.link.delay = delay;
        settings.link.rate = 2.5e6;
        settings.link.queue_bytes = static_cast<std::size_t>(2.5e6 * static_cast<double>(2 * delay) / 1e9);
        NativePair pair(1, settings);
        pour(pair, 1'000, 20 * second);
        const double share = static_cast<double>(pair.oracles[0].delivered_bytes()) / (2.5e6 * 20);
        const auto& counts = pair.connection(0).statistics();
        std::printf("delay %lld ms: %.3f of the rate, lost %llu of %llu, %llu spurious\n",
                    static_cast<long long>(delay / millisecond), share,
                    static_cast<unsigned long long>(counts.packets_lost),
                    static_cast<unsigned long long>(counts.packets_sent),
                    static_cast<unsigned long long>(counts.packets_spurious));
        EXPECT_GT(share, 0.8);
        EXPECT_LT(counts.packets_lost, counts.packets_sent / 20);
    }
}

// Packets that overtake each other by much more than three are not called lost for long.
TEST(NativeRate, reordering_is_learned) {
    NativeSettings settings;
    settings.options.send_log_bytes = 2 << 20;
    settings.options.channel_window = settings.options.connection_window = 8 << 20;
    settings.link.delay = 20 * millisecond;
    settings.link.jitter = 5 * millisecond;
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 5e6, .window = 1 << 20};
    NativePair pair(1, settings);
    pour(pair, 1'000, second);
    const auto before = pair.connection(0).statistics();
    pour(pair, 1'000, 4 * second);
    const auto& after = pair.connection(0).statistics();
    const std::uint64_t sent = after.packets_sent - before.packets_sent,
                        spurious = after.packets_spurious - before.packets_spurious;
    std::printf("spurious: %llu of %llu, threshold %u\n", static_cast<unsigned long long>(spurious),
                static_cast<unsigned long long>(sent), pair.connection(0).recovering().loss().packet_threshold());
    EXPECT_LT(spurious, sent / 50);
}

// A quarter of the packets is 5 ms late, on fast links: as far as the round trips of the first moments, nothing is
// taken for lost, and CUBIC has four fifths of what it has without that.
TEST(NativeRate, a_quarter_of_the_packets_is_late) {
    for (const double rate : {25e6, 200e6}) {
        std::uint64_t delivered[2];
        for (const bool late : {false, true}) {
            NativeSettings settings;
            settings.options.send_log_bytes = 8 << 20;
            settings.options.channel_window = settings.options.connection_window = 16 << 20;
            settings.rtt = 20 * millisecond;
            settings.link.delay = 10 * millisecond;
            settings.link.rate = rate;
            settings.link.queue_bytes = static_cast<std::size_t>(rate * 0.02);
            if (late) {
                settings.link.late = 0.25;
                settings.link.late_by = 5 * millisecond;
            }
            NativePair pair(1, settings);
            pour(pair, 1'400, 400 * millisecond);
            const auto before = pair.connection(0).statistics();
            const std::uint64_t bytes = pair.oracles[0].delivered_bytes();
            pour(pair, 1'400, static_cast<Duration>(40e15 / rate));
            const auto& after = pair.connection(0).statistics();
            delivered[late] = pair.oracles[0].delivered_bytes() - bytes;
            std::printf("%.0f MB/s, %s: %.3f of the rate, spurious %llu of %llu, threshold %u\n", rate / 1e6,
                        late ? "late" : "clean", static_cast<double>(delivered[late]) / 40e6,
                        static_cast<unsigned long long>(after.packets_spurious - before.packets_spurious),
                        static_cast<unsigned long long>(after.packets_sent - before.packets_sent),
                        pair.connection(0).recovering().loss().packet_threshold());
            EXPECT_LT(after.packets_spurious - before.packets_spurious,
                      (after.packets_sent - before.packets_sent) / 50);
        }
        EXPECT_GE(delivered[1], delivered[0] / 10 * 8);
    }
}

TEST(NativeRate, the_breaker_is_reported) {
    NativeSettings settings;
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 1e6, .window = 1 << 20};
    settings.link.loss = 0.3;
    NativePair pair(1, settings);
    pour(pair, 1'000, 10 * second);
    EXPECT_GE(pair.nodes[0]->breakers, 1u);
    EXPECT_LT(pair.connection(0).window(), 1u << 20);
}

TEST(NativeRate, the_breaker_does_not_stop_everything) {
    NativeSettings settings;
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 0, .window = 64 << 10};
    settings.link.loss = 0.3;
    NativePair pair(1, settings);
    pour(pair, 1'000, 60 * second);
    const std::uint64_t delivered = pair.oracles[0].delivered_count();
    EXPECT_GE(pair.nodes[0]->breakers, 5u);
    pour(pair, 1'000, 10 * second);
    EXPECT_GT(pair.oracles[0].delivered_count(), delivered + 10);
}

}  // namespace
}  // namespace ringpost::sim
