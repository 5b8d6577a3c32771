#include "codec/gtudp/rtt.hpp"

#include <gtest/gtest.h>

namespace ringpost::gtudp {
namespace {

constexpr Duration min = 10 * millisecond, max = 3 * second;

Duration timeout(const RttEstimator& rtt) { return rtt.timeout(min, max); }

TEST(GtudpRtt, unknown_before_the_first_sample) { EXPECT_EQ(RttEstimator{}.smoothed(), 0); }

// RFC 6298, 2.2: SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR.
// 2.3, with alpha = 1/8 and beta = 1/4: RTTVAR uses the old SRTT, then SRTT is updated.
TEST(GtudpRtt, computed_by_hand) {
    RttEstimator rtt;
    rtt.sample(100 * millisecond);
    EXPECT_EQ(rtt.smoothed(), 100 * millisecond);
    EXPECT_EQ(timeout(rtt), 300 * millisecond);  // variation 50
    rtt.sample(180 * millisecond);
    EXPECT_EQ(rtt.smoothed(), 110 * millisecond);  // 100 + 80 / 8
    EXPECT_EQ(timeout(rtt), 340 * millisecond);    // variation 50 + (80 - 50) / 4 = 57.5
    rtt.sample(30 * millisecond);
    EXPECT_EQ(rtt.smoothed(), 100 * millisecond);    // 110 - 80 / 8
    EXPECT_EQ(timeout(rtt), 352'500 * microsecond);  // variation 57.5 + (80 - 57.5) / 4 = 63.125
    rtt.sample(100 * millisecond);
    EXPECT_EQ(rtt.smoothed(), 100 * millisecond);
    EXPECT_EQ(timeout(rtt), 289'375 * microsecond);  // variation 63.125 * 3 / 4 = 47.34375
}

TEST(GtudpRtt, timeouts_are_clamped) {
    RttEstimator fast, slow;
    fast.sample(100 * microsecond);
    EXPECT_EQ(timeout(fast), min);
    slow.sample(2 * second);
    EXPECT_EQ(timeout(slow), max);
}

TEST(GtudpRtt, a_round_trip_too_short_to_measure_is_still_a_sample) {
    RttEstimator rtt;
    for (int i = 0; i < 100; ++i) {
        rtt.sample(0);
        EXPECT_EQ(rtt.smoothed(), 1);
        EXPECT_EQ(timeout(rtt), min);
    }
}

TEST(GtudpRtt, follows_a_change_of_route) {
    RttEstimator rtt;
    for (int i = 0; i < 200; ++i) rtt.sample(10 * millisecond);
    EXPECT_NEAR(static_cast<double>(timeout(rtt)), 10e6, 100);
    rtt.sample(50 * millisecond);
    EXPECT_GT(timeout(rtt), 50 * millisecond) << "one outlier is enough to avoid early retransmission next time";
    for (int i = 0; i < 200; ++i) rtt.sample(50 * millisecond);
    EXPECT_NEAR(static_cast<double>(rtt.smoothed()), 50e6, 100);
    for (int i = 0; i < 200; ++i) rtt.sample(10 * millisecond);
    EXPECT_NEAR(static_cast<double>(rtt.smoothed()), 10e6, 100);
}

}  // namespace
}  // namespace ringpost::gtudp
