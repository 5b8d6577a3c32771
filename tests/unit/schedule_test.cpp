#include "codec/load/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "codec/base/histogram.hpp"

namespace ringpost::load {
namespace {

constexpr Instant start = 5 * second;

TEST(Schedule, fixed_gaps_do_not_drift) {
    Schedule schedule(start, 3);
    for (std::uint64_t i = 0; i < 3'000'000; ++i) schedule.advance();
    EXPECT_EQ(schedule.next(), start + 1'000'000 * second);
}

TEST(Schedule, poisson_gaps_are_exponential_with_the_mean_asked_for) {
    constexpr std::uint64_t count = 200'000;
    constexpr double mean_ns = 10'000;
    Schedule schedule(start, 1e9 / mean_ns, Arrivals::poisson, 42);
    Histogram gaps;
    Instant last = start;
    for (std::uint64_t i = 0; i < count; ++i, schedule.advance()) {
        ASSERT_GE(schedule.next(), last);
        gaps.record(schedule.next() - last);
        last = schedule.next();
    }
    // The mean of so many gaps has a standard error of mean / sqrt(count).
    EXPECT_NEAR(gaps.mean(), mean_ns, 4 * mean_ns / std::sqrt(double{count}));
    // The quantile function of the exponential distribution: -ln(1 - p) times the mean.
    for (const double p : {0.1, 0.5, 0.9, 0.99})
        EXPECT_NEAR(static_cast<double>(gaps.percentile(100 * p)), -std::log(1 - p) * mean_ns, 0.02 * mean_ns) << p;
}

TEST(Schedule, the_seed_decides) {
    Schedule one(start, 1e5, Arrivals::poisson, 1), same(start, 1e5, Arrivals::poisson, 1),
        other(start, 1e5, Arrivals::poisson, 2);
    bool differs = false;
    for (int i = 0; i < 100; ++i, one.advance(), same.advance(), other.advance()) {
        EXPECT_EQ(one.next(), same.next());
        differs |= one.next() != other.next();
    }
    EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace ringpost::load
