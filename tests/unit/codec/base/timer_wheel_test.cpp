#include "codec/base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace ringpost {
namespace {

constexpr Duration tick = 1 << TimerWheel::tick_bits;
constexpr Instant first_instant = std::numeric_limits<Instant>::min();

using Fired = std::vector<std::pair<TimerIndex, Instant>>;

Fired expire(TimerWheel& wheel, Instant now) {
    Fired fired;
    const std::size_t count = wheel.expire(now, [&](TimerIndex index, Instant at) { fired.emplace_back(index, at); });
    EXPECT_EQ(count, fired.size());
    return fired;
}

TEST(TimerWheel, an_empty_wheel_has_no_timeout) {
    TimerWheel wheel(4);
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(expire(wheel, 0), Fired{});
    EXPECT_EQ(expire(wheel, never), Fired{});
    EXPECT_FALSE(wheel.scheduled(3));
    wheel.cancel(3);
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(wheel.capacity(), 4u);
}

TEST(TimerWheel, fires_at_the_deadline_to_the_nanosecond_at_every_distance) {
    for (int bit = 0; bit < 62; ++bit) {
        for (const Duration offset : {-1, 0, 1}) {
            const Instant at = (Duration{1} << bit) + offset;
            TimerWheel wheel(1);
            wheel.schedule(0, at);
            EXPECT_EQ(wheel.next(), at);
            EXPECT_EQ(expire(wheel, at - 1), Fired{}) << at;
            EXPECT_TRUE(wheel.scheduled(0));
            EXPECT_EQ(wheel.next(), at);
            EXPECT_EQ(expire(wheel, at), (Fired{{0, at}})) << at;
            EXPECT_FALSE(wheel.scheduled(0));
            EXPECT_EQ(wheel.next(), std::nullopt);
        }
    }
}

TEST(TimerWheel, accepts_every_instant) {
    TimerWheel wheel(4, first_instant);
    wheel.schedule(0, never);
    wheel.schedule(1, first_instant);
    wheel.schedule(2, -1);
    wheel.schedule(3, 0);
    EXPECT_EQ(wheel.next(), first_instant);
    EXPECT_EQ(expire(wheel, first_instant), (Fired{{1, first_instant}}));
    EXPECT_EQ(wheel.next(), -1);
    EXPECT_EQ(expire(wheel, 0), (Fired{{2, -1}, {3, 0}}));
    EXPECT_EQ(expire(wheel, never - 1), Fired{});
    EXPECT_EQ(wheel.next(), never);
    EXPECT_EQ(expire(wheel, never), (Fired{{0, never}}));
}

TEST(TimerWheel, a_deadline_in_the_past_fires_at_once) {
    TimerWheel wheel(2, 100 * second);
    wheel.schedule(0, 1);
    wheel.schedule(1, 100 * second + 1);
    EXPECT_EQ(wheel.next(), 1);
    EXPECT_EQ(expire(wheel, 100 * second), (Fired{{0, 1}}));
    EXPECT_EQ(wheel.next(), 100 * second + 1);
}

TEST(TimerWheel, rescheduling_replaces_the_old_deadline) {
    TimerWheel wheel(1);
    wheel.schedule(0, 10 * tick);
    wheel.schedule(0, 5'000 * tick);
    EXPECT_EQ(expire(wheel, 4'000 * tick), Fired{});
    wheel.schedule(0, 4'001 * tick);
    EXPECT_EQ(expire(wheel, 9'000 * tick), (Fired{{0, 4'001 * tick}}));
    EXPECT_EQ(expire(wheel, 99'000 * tick), Fired{});
}

TEST(TimerWheel, a_cancelled_timer_does_not_fire_and_costs_at_most_one_early_wake_up) {
    TimerWheel wheel(2);
    wheel.schedule(0, 1'000 * tick);
    wheel.schedule(1, 1'001 * tick);
    wheel.cancel(0);
    EXPECT_FALSE(wheel.scheduled(0));
    ASSERT_TRUE(wheel.next().has_value());
    EXPECT_LE(*wheel.next(), 1'001 * tick);
    EXPECT_EQ(expire(wheel, *wheel.next()), Fired{});
    EXPECT_EQ(wheel.next(), 1'001 * tick);
}

TEST(TimerWheel, a_long_jump_fires_everything_in_order_of_tick) {
    TimerWheel wheel(8);
    const std::vector<Instant> deadlines = {3 * tick,       64 * tick,       64 * tick * 64 + 5, second,
                                            3'600 * second, 86'400 * second, tick << 44,         (tick << 44) + tick};
    for (TimerIndex index = 0; index < 8; ++index) wheel.schedule(index, deadlines[7 - index]);
    Fired expected;
    for (TimerIndex index = 8; index-- > 0;) expected.emplace_back(index, deadlines[7 - index]);
    EXPECT_EQ(expire(wheel, never - 1), expected);
}

TEST(TimerWheel, the_clock_may_go_back) {
    TimerWheel wheel(2);
    EXPECT_EQ(expire(wheel, second), Fired{});
    wheel.schedule(0, second / 2);
    wheel.schedule(1, second - 1);
    EXPECT_EQ(expire(wheel, second / 2), (Fired{{0, second / 2}}));
    EXPECT_EQ(wheel.next(), second - 1);
    EXPECT_EQ(expire(wheel, second - 1), (Fired{{1, second - 1}}));
}

TEST(TimerWheel, a_timer_that_reschedules_itself_in_the_past_fires_once_per_call) {
    TimerWheel wheel(1);
    wheel.schedule(0, 10);
    for (int call = 0; call < 3; ++call) {
        EXPECT_EQ(wheel.expire(second, [&](TimerIndex index, Instant at) { wheel.schedule(index, at); }), 1u);
        EXPECT_EQ(wheel.next(), 10);
    }
}

TEST(TimerWheel, a_callback_may_cancel_and_reschedule_other_timers) {
    TimerWheel wheel(64);
    for (TimerIndex index = 0; index < 64; ++index) wheel.schedule(index, 1'000 * tick + index);
    std::optional<TimerIndex> survivor;
    const std::size_t fired = wheel.expire(second, [&](TimerIndex index, Instant) {
        ASSERT_FALSE(survivor.has_value()) << "all other timers were cancelled or rescheduled";
        survivor = index;
        for (TimerIndex other = 0; other < 64; ++other) {
            if (other % 2 == 0) wheel.cancel(other);
            if (other % 2 == 1) wheel.schedule(other, other);
        }
    });
    EXPECT_EQ(fired, 1u);
    EXPECT_EQ(expire(wheel, 31).size(), 16u);
    EXPECT_EQ(expire(wheel, 63).size(), 16u);
    EXPECT_EQ(wheel.next(), std::nullopt);
}

TEST(TimerWheel, a_timer_set_by_a_callback_for_the_same_jump_waits_for_the_next_call) {
    TimerWheel wheel(2);
    wheel.schedule(0, 5 * tick);
    EXPECT_EQ(wheel.expire(500 * tick, [&](TimerIndex, Instant) { wheel.schedule(1, 100 * tick); }), 1u);
    EXPECT_TRUE(wheel.scheduled(1));
    EXPECT_EQ(wheel.next(), 100 * tick);
    EXPECT_EQ(expire(wheel, 500 * tick), (Fired{{1, 100 * tick}}));
}

TEST(TimerWheelDeathTest, checks_its_preconditions) {
    TimerWheel wheel(1);
    EXPECT_DEATH(wheel.schedule(1, 0), "check failed");
    wheel.schedule(0, 0);
    EXPECT_DEATH(wheel.expire(0, [&](TimerIndex, Instant) { expire(wheel, 0); }), "check failed");
}

TEST(TimerWheel, next_is_exact_if_nothing_is_cancelled) {
    const std::uint64_t seed = 7;
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    TimerWheel wheel(1'000);
    std::vector<Instant> deadlines;
    for (TimerIndex index = 0; index < 1'000; ++index) {
        deadlines.push_back(static_cast<Instant>(random() >> (2 + random() % 50)));
        wheel.schedule(index, deadlines.back());
    }
    std::sort(deadlines.begin(), deadlines.end());
    for (std::size_t passed = 0; passed < deadlines.size();) {
        ASSERT_EQ(wheel.next(), deadlines[passed]);
        passed += expire(wheel, deadlines[passed]).size();
    }
    EXPECT_EQ(wheel.next(), std::nullopt);
}

}  // namespace
}  // namespace ringpost
