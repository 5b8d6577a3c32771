#include "codec/traffic/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "codec/measure/histogram.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant schedule_start = 5 * second;

TEST(Schedule, fixed_gaps_do_not_drift) {
    Schedule schedule({.start = schedule_start, .rate_per_s = 3});
    for (std::uint64_t i = 0; i < 3'000'000; ++i) schedule.advance();
    EXPECT_EQ(schedule.next(), schedule_start + 1'000'000 * second);
}

TEST(Schedule, takes_what_is_due_as_if_one_by_one) {
    const ScheduleOptions all[] = {
        {.start = schedule_start, .rate_per_s = 3e6},
        {.start = schedule_start, .rate_per_s = 3e6, .arrivals = Arrivals::poisson, .seed = 1},
        {.start = schedule_start, .rate_per_s = 3e6, .burst = 7},
        {.start = schedule_start, .rate_per_s = 3e6, .share_index = 1, .share_of = 3}};
    for (const ScheduleOptions& options : all) {
        Schedule taken(options), one_by_one(options);
        std::array<Instant, 50> memory{};
        for (Instant at = schedule_start - 1; at < schedule_start + millisecond; at += 3'001) {
            const auto dues = taken.take(at, memory);
            for (const Instant due : dues) {
                ASSERT_LE(due, at);
                ASSERT_EQ(due, one_by_one.next());
                one_by_one.advance();
            }
            ASSERT_TRUE(dues.size() == memory.size() || one_by_one.next() > at);
            if (at % 2 == 0) taken.advance(), one_by_one.advance();
            ASSERT_EQ(taken.next(), one_by_one.next());
        }
    }
}

TEST(Schedule, poisson_gaps_are_exponential_with_the_configured_mean) {
    constexpr std::uint64_t count = 200'000;
    constexpr double mean_ns = 10'000;
    Schedule schedule(
        {.start = schedule_start, .rate_per_s = 1e9 / mean_ns, .arrivals = Arrivals::poisson, .seed = 42});
    Histogram gaps;
    Instant last = schedule_start;
    for (std::uint64_t i = 0; i < count; ++i, schedule.advance()) {
        ASSERT_GE(schedule.next(), last);
        gaps.record(schedule.next() - last);
        last = schedule.next();
    }
    // The mean of this many gaps has a standard error of mean / sqrt(count).
    EXPECT_NEAR(gaps.mean(), mean_ns, 4 * mean_ns / std::sqrt(double{count}));
    // The quantile function of the exponential distribution: -ln(1 - p) times the mean.
    for (const double p : {0.1, 0.5, 0.9, 0.99})
        EXPECT_NEAR(static_cast<double>(gaps.percentile(100 * p)), -std::log(1 - p) * mean_ns, 0.02 * mean_ns) << p;
}

TEST(Schedule, the_seed_determines_the_schedule) {
    const auto poisson = [](std::uint64_t seed) {
        return Schedule({.start = schedule_start, .rate_per_s = 1e5, .arrivals = Arrivals::poisson, .seed = seed});
    };
    Schedule one = poisson(1), same = poisson(1), other = poisson(2);
    bool differs = false;
    for (int i = 0; i < 100; ++i, one.advance(), same.advance(), other.advance()) {
        EXPECT_EQ(one.next(), same.next());
        differs |= one.next() != other.next();
    }
    EXPECT_TRUE(differs);
}

TEST(Schedule, a_burst_is_due_at_once_and_the_rate_stays) {
    Schedule schedule({.start = schedule_start, .rate_per_s = 1'000, .burst = 4});
    for (Instant i = 0; i < 100; ++i, schedule.advance())
        EXPECT_EQ(schedule.next(), schedule_start + i / 4 * 4 * millisecond) << i;
}

std::vector<Instant> all_of(Schedule schedule, std::size_t at_most = 1'000'000) {
    std::vector<Instant> due;
    for (; schedule.next() != never && due.size() < at_most; schedule.advance()) due.push_back(schedule.next());
    return due;
}

TEST(Schedule, a_profile_with_steps) {
    const RatePoint points[] = {{0, 1'000},
                                {10 * millisecond, 1'000},
                                {10 * millisecond, 0},
                                {20 * millisecond, 0},
                                {20 * millisecond, 10'000},
                                {21 * millisecond, 10'000}};
    const auto profile = RateProfile::make(points);
    ASSERT_TRUE(profile);
    EXPECT_DOUBLE_EQ(profile->total(), 20);
    EXPECT_EQ(profile->highest_rate(), 10'000);
    EXPECT_EQ(profile->end(), 21 * millisecond);
    const auto due = all_of(Schedule({.start = schedule_start, .rate_per_s = 1, .profile = &*profile}));
    ASSERT_EQ(due.size(), 20u);
    for (std::size_t i = 0; i < due.size(); ++i) {
        const auto k = static_cast<Instant>(i);
        const Instant wanted = i < 10 ? k * millisecond : 20 * millisecond + (k - 10) * 100 * microsecond;
        EXPECT_NEAR(static_cast<double>(due[i] - schedule_start), static_cast<double>(wanted), 2) << i;
    }
}

TEST(Schedule, a_profile_with_a_ramp) {
    const RatePoint points[] = {{0, 0}, {second, 20'000}};
    const auto profile = RateProfile::make(points);
    ASSERT_TRUE(profile);
    const auto due = all_of(Schedule({.start = schedule_start, .rate_per_s = 1, .profile = &*profile}));
    ASSERT_EQ(due.size(), 10'000u);
    // 10,000 t^2 are due after t seconds.
    for (std::size_t i = 0; i < due.size(); ++i)
        EXPECT_NEAR(static_cast<double>(due[i] - schedule_start), std::sqrt(static_cast<double>(i) / 10'000) * 1e9, 10)
            << i;
}

TEST(Schedule, poisson_arrivals_follow_the_profile) {
    const RatePoint points[] = {{0, 0}, {second, 0}, {second, 50'000}, {2 * second, 50'000}, {3 * second, 0}};
    const auto profile = RateProfile::make(points);
    ASSERT_TRUE(profile);
    const auto due = all_of(Schedule(
        {.start = schedule_start, .rate_per_s = 1, .arrivals = Arrivals::poisson, .seed = 3, .profile = &*profile}));
    const auto before = [&](Instant at) {
        return static_cast<double>(std::ranges::lower_bound(due, schedule_start + at) - due.begin());
    };
    // Counts of a Poisson process have a variance equal to their mean.
    EXPECT_EQ(before(second), 0);
    EXPECT_NEAR(before(2 * second), 50'000, 4 * std::sqrt(50'000));
    EXPECT_NEAR(before(3 * second) - before(2 * second), 25'000, 4 * std::sqrt(25'000));
    EXPECT_NEAR(before(2'500 * millisecond) - before(2 * second), 18'750, 4 * std::sqrt(18'750));
}

TEST(Schedule, counts_what_is_due) {
    const Schedule fixed({.start = schedule_start, .rate_per_s = 1'000});
    EXPECT_EQ(fixed.count_due(schedule_start, schedule_start + second, 5'000), 1'000u);
    EXPECT_EQ(fixed.count_due(schedule_start, schedule_start + second, 300), 300u);
    EXPECT_EQ(fixed.count_due(schedule_start + second / 2, schedule_start + second, 5'000), 500u);
    EXPECT_EQ(fixed.count_due(schedule_start + second, schedule_start + second, 5'000), 0u);
    EXPECT_EQ(Schedule({.start = schedule_start, .rate_per_s = 1'000, .burst = 10})
                  .count_due(schedule_start, schedule_start + second, 5'000),
              1'000u);
    const Schedule third({.start = schedule_start, .rate_per_s = 1'000, .share_index = 1, .share_of = 3});
    EXPECT_EQ(third.count_due(schedule_start, schedule_start + second, 5'000), 333u);
    const Schedule fast({.start = schedule_start, .rate_per_s = 1e8});
    EXPECT_NEAR(static_cast<double>(fast.count_due(schedule_start, schedule_start + 5 * second, UINT64_MAX)), 5e8, 5e4);
}

TEST(Schedule, overtime_is_a_hundredth_within_bounds) {
    EXPECT_EQ(overtime(schedule_start, schedule_start + second), 10 * millisecond);
    EXPECT_EQ(overtime(schedule_start, schedule_start + 60 * second), 20 * millisecond);
    EXPECT_EQ(overtime(schedule_start, schedule_start + millisecond), millisecond);
    EXPECT_EQ(overtime(schedule_start, schedule_start), 0);
    EXPECT_EQ(overtime(schedule_start, never), 0);
}

TEST(RateProfile, refuses_invalid_profiles) {
    const auto make = [](std::vector<RatePoint> points) { return RateProfile::make(points).has_value(); };
    EXPECT_FALSE(make({}));
    EXPECT_FALSE(make({{0, 5}}));
    EXPECT_FALSE(make({{0, 5}, {second, -1}}));
    EXPECT_FALSE(make({{0, 5}, {second, std::nan("")}}));
    EXPECT_FALSE(make({{second, 5}, {0, 5}}));
    EXPECT_FALSE(make({{-1, 5}, {second, 5}}));
    EXPECT_FALSE(make({{0, 0}, {second, 0}})) << "nothing would be due";
    EXPECT_FALSE(make({{second, 5}, {second, 7}})) << "nothing would be due";
    EXPECT_TRUE(make({{0, 0}, {second, 1}}));
}

TEST(Schedule, a_recording_is_repeated_one_mean_gap_after_its_end) {
    const Recording recording({0, 100'000, 100'000, 400'000, 1'000'000}, 2);
    EXPECT_EQ(recording.length(), 625'000) << "at twice the speed, the mean gap is 125 us";
    EXPECT_DOUBLE_EQ(recording.per_s(), 8'000);
    Schedule schedule({.start = schedule_start, .recording = &recording});
    const Duration expected[] = {0,       50'000,  50'000,  200'000,   500'000,  625'000,
                                 675'000, 675'000, 825'000, 1'125'000, 1'250'000};
    std::array<Instant, 20> memory{};
    const auto taken = Schedule(schedule).take(schedule_start + 1'250'000, memory);
    ASSERT_EQ(taken.size(), std::size(expected));
    for (std::size_t i = 0; i < taken.size(); ++i, schedule.advance()) {
        EXPECT_EQ(schedule.next(), schedule_start + expected[i]) << i;
        EXPECT_EQ(taken[i], schedule.next());
    }
    EXPECT_EQ(
        Schedule({.start = schedule_start, .recording = &recording}).count_due(0, schedule_start + 625'000, UINT64_MAX),
        5u);
    const Recording single({0}, 1);
    EXPECT_EQ(single.at(3), 3 * second);
}

}  // namespace
}  // namespace ringpost::traffic
