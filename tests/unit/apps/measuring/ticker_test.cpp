#include <gtest/gtest.h>

#include "apps/cli/report.hpp"

namespace ringpost::apps {
namespace {

TEST(Ticker, ticks_once_a_period_and_returns_its_length) {
    Ticker ticker(0, second);
    EXPECT_FALSE(ticker.tick(second - 1));
    EXPECT_EQ(ticker.tick(second + 1'000), 1.000001);
    EXPECT_EQ(ticker.next(), 2 * second) << "no drift";
    EXPECT_FALSE(ticker.tick(2 * second - 1));
    EXPECT_TRUE(ticker.tick(2 * second));
}

TEST(Ticker, ticks_missed_in_a_stall_are_not_repeated) {
    for (const Duration stall : {second / 10, second / 2, second * 9 / 10, second, 3 * second + 1, 7 * second / 2}) {
        Ticker ticker(0, second);
        const Instant at = second + stall;
        ASSERT_TRUE(ticker.tick(at)) << stall;
        EXPECT_FALSE(ticker.tick(at + 1)) << stall;
        EXPECT_GE(ticker.next() - at, second / 2) << "a short interval is no basis for a rate";
        EXPECT_LE(ticker.next() - at, second * 3 / 2) << stall;
        EXPECT_EQ(ticker.next() % second, 0) << "as all the others tick";
    }
}

}  // namespace
}  // namespace ringpost::apps
