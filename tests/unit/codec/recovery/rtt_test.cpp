#include "codec/recovery/rtt.hpp"

#include <gtest/gtest.h>

namespace ringpost::recovery {
namespace {

TEST(RecoveryRtt, an_assumed_round_trip_before_the_first_sample) {
    const Rtt rtt;
    EXPECT_FALSE(rtt.known());
    EXPECT_EQ(rtt.smoothed(), 333 * millisecond);
    EXPECT_EQ(rtt.probe_timeout(0), 333 * millisecond + 4 * (333 * millisecond / 2));
}

// RFC 9002, 5.3, by hand.
TEST(RecoveryRtt, computed_by_hand) {
    Rtt rtt;
    rtt.sample(100 * millisecond, 20 * millisecond);  // the first sample ignores the delay
    EXPECT_EQ(rtt.smoothed(), 100 * millisecond);
    EXPECT_EQ(rtt.variation(), 50 * millisecond);
    rtt.sample(132 * millisecond, 16 * millisecond);  // adjusted 116
    EXPECT_EQ(rtt.smoothed(), 102 * millisecond);
    EXPECT_EQ(rtt.variation(), 50 * millisecond + (16 * millisecond - 50 * millisecond) / 4);
    EXPECT_EQ(rtt.min(), 100 * millisecond);
    rtt.sample(110 * millisecond, 16 * millisecond);  // 94 would be below the minimum: not adjusted
    EXPECT_EQ(rtt.smoothed(), 103 * millisecond);
    EXPECT_EQ(rtt.latest(), 110 * millisecond);
}

TEST(RecoveryRtt, timers_are_finer_on_short_paths) {
    Rtt rtt;
    rtt.sample(100 * microsecond, 0);
    for (int i = 0; i < 100; ++i) rtt.sample(100 * microsecond, 0);
    EXPECT_EQ(rtt.granularity(), 50 * microsecond);
    EXPECT_EQ(rtt.probe_timeout(0), 150 * microsecond);
    EXPECT_EQ(rtt.loss_delay(0), 112'500);
    Rtt longer;
    longer.sample(10 * millisecond, 0);
    EXPECT_EQ(longer.granularity(), millisecond);
    EXPECT_EQ(longer.loss_delay(0), 11'250 * microsecond);
    EXPECT_EQ(longer.loss_delay(5 * millisecond), 15 * millisecond);
}

}  // namespace
}  // namespace ringpost::recovery
