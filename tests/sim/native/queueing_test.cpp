// How long a message waits at its sender while bulk of a lower priority keeps the link full.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "tests/sim/native/pair.hpp"

namespace ringpost::sim {
namespace {

TEST(NativeQueueing, bulk_does_not_hold_up_what_is_urgent) {
    NativeSettings settings;
    settings.options.channels = 2;
    settings.options.channel_options = {{.priority = 7}, {.priority = 0}};
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 10e6, .window = 4 << 20};
    settings.options.send_log_bytes = 1 << 20;
    settings.options.channel_window = settings.options.connection_window = 8 << 20;
    settings.link.delay = 10 * millisecond;
    settings.link.rate = 11e6;
    settings.link.queue_bytes = 200'000;
    NativePair pair(1, settings);
    Random random(1);
    std::vector<Duration> waits;
    for (int i = 0; i < 400 && !testing::Test::HasFailure(); ++i) {
        pair.send(0, 0, 1'000, 1'000);
        pair.run_for(static_cast<Duration>(random.below(5'000)) * microsecond);
        const Instant sent_at = pair.network.now();
        ASSERT_EQ(pair.send(0, 1, 64), 1u);
        const std::uint64_t before = pair.oracles[0].delivered_on(1);
        while (pair.oracles[0].delivered_on(1) == before && pair.network.now() < sent_at + second)
            pair.run_for(50 * microsecond);
        waits.push_back(pair.network.now() - sent_at - 10 * millisecond);
    }
    std::ranges::sort(waits);
    const Duration p99 = waits[waits.size() * 99 / 100];
    std::printf("p50 %.3f ms, p99 %.3f ms\n", static_cast<double>(waits[waits.size() / 2]) / 1e6,
                static_cast<double>(p99) / 1e6);
    // A quantum is 10 packets at first and at most 10,000 bytes, 1 ms at this rate.
    EXPECT_LE(p99, 2 * millisecond);
}

}  // namespace
}  // namespace ringpost::sim
