#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "codec/base/timer_wheel.hpp"

namespace ringpost {
namespace {

constexpr Duration model_tick = 1 << TimerWheel::tick_bits;
constexpr Instant model_first = std::numeric_limits<Instant>::min();

// Runs the wheel and a multimap of deadlines through the same random script.
class Comparison {
  public:
    Comparison(std::uint64_t seed, std::uint32_t capacity, Instant start)
        : random_(seed), wheel_(capacity, start), timers_(capacity), now_(start), latest_(start) {}

    void run(int steps) {
        for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
            SCOPED_TRACE(testing::Message() << "step " << step);
            const std::uint64_t choice = random_() % 8;
            if (choice < 4) {
                const TimerIndex index = random_index();
                schedule(index, now_ + random_offset());
            }
            if (choice == 4) cancel(random_index());
            if (choice > 4) advance(choice == 5);
            check_next();
        }
    }

    // Sleeps until next() repeatedly, until no timer is set.
    void drain() {
        while (!deadlines_.empty() && !testing::Test::HasFatalFailure()) {
            const std::optional<Instant> next = wheel_.next();
            ASSERT_TRUE(next.has_value());
            now_ = std::max(now_, *next);
            expire(false);
            check_next();
        }
        EXPECT_EQ(wheel_.next(), std::nullopt);
    }

  private:
    struct Timer {
        std::optional<Instant> at;
        Instant counts_as = 0;  // its deadline, or the latest `now` if that was later; determines the order
        bool due = false;       // must fire in the expire() in progress
    };

    TimerIndex random_index() { return static_cast<TimerIndex>(random_() % timers_.size()); }

    // From a nanosecond to years, sometimes in the past, and often exactly at the edge of a slot.
    Duration random_offset() {
        const auto bits = random_() % 60;
        Duration offset = static_cast<Duration>(random_() & ((2ull << bits) - 1));
        if (random_() % 4 == 0) {
            const Duration width = Duration{1}
                                   << std::min<std::uint64_t>(TimerWheel::tick_bits + 6 * (random_() % 9), bits);
            offset = ((now_ + offset) & ~(width - 1)) - now_ - static_cast<Duration>(random_() % 2);
        }
        return random_() % 8 == 0 ? -(offset % (200 * model_tick)) : offset;
    }

    void clear(TimerIndex index) {
        if (!timers_[index].at) return;
        auto place = deadlines_.lower_bound(*timers_[index].at);
        while (place->second != index) ++place;
        deadlines_.erase(place);
        timers_[index].at.reset();
        timers_[index].due = false;
    }

    void schedule(TimerIndex index, Instant at) {
        wheel_.schedule(index, at);
        clear(index);
        timers_[index].at = at;
        timers_[index].counts_as = std::max(at, latest_);
        deadlines_.emplace(at, index);
        ASSERT_TRUE(wheel_.scheduled(index));
    }

    void cancel(TimerIndex index) {
        ASSERT_EQ(wheel_.scheduled(index), timers_[index].at.has_value());
        wheel_.cancel(index);
        clear(index);
        ASSERT_FALSE(wheel_.scheduled(index));
    }

    void advance(bool reentrant) {
        // Every timer is at most 2^61 ns ahead; below 2^62 the sums cannot overflow.
        switch (random_() % 4) {
            case 0: now_ = std::max(now_, std::min(wheel_.next().value_or(now_), Instant{1} << 61)); break;
            case 1: now_ += static_cast<Duration>(random_() % 1'000); break;
            case 2: now_ += static_cast<Duration>(random_() % (10'000 * model_tick)); break;
            default: now_ = std::min(now_ + std::max<Duration>(random_offset() >> 8, 0), Instant{1} << 61);
        }
        expire(reentrant);
    }

    void expire(bool reentrant) {
        std::size_t due = 0;
        for (const auto& [at, index] : deadlines_) {
            if (at > now_) break;
            timers_[index].due = true;
            ++due;
        }
        latest_ = std::max(latest_, now_);
        Instant previous = model_first;
        std::size_t fired = 0;
        bool scheduled_behind_now = false;
        const std::size_t count = wheel_.expire(now_, [&](TimerIndex index, Instant at) {
            ++fired;
            ASSERT_TRUE(timers_[index].due) << "timer " << index << " at " << at << ", now " << now_;
            ASSERT_EQ(timers_[index].at, at);
            ASSERT_FALSE(wheel_.scheduled(index));
            ASSERT_LE(previous >> TimerWheel::tick_bits, timers_[index].counts_as >> TimerWheel::tick_bits)
                << "out of order";
            previous = timers_[index].counts_as;
            clear(index);
            if (!reentrant) return;
            for (std::uint64_t calls = random_() % 4; calls > 0; --calls) {
                const TimerIndex target = random_() % 2 == 0 ? index : random_index();
                const Instant when = now_ + (random_() % 2 == 0 ? -random_offset() >> 20 : random_offset());
                if (random_() % 3 == 0) {
                    cancel(target);
                } else {
                    schedule(target, when);
                    scheduled_behind_now |= when <= now_;
                }
            }
        });
        ASSERT_EQ(count, fired);
        for (const Timer& timer : timers_) ASSERT_FALSE(timer.due) << "did not fire";
        ASSERT_TRUE(reentrant || fired == due);
        const Instant next = wheel_.next().value_or(never);
        ASSERT_TRUE(scheduled_behind_now || next > now_) << "no progress";
    }

    void check_next() {
        const std::optional<Instant> next = wheel_.next();
        ASSERT_EQ(next.has_value(), !deadlines_.empty());
        ASSERT_TRUE(!next || *next <= deadlines_.begin()->first);
    }

    std::mt19937_64 random_;
    TimerWheel wheel_;
    std::vector<Timer> timers_;
    std::multimap<Instant, TimerIndex> deadlines_;
    Instant now_;
    Instant latest_;
};

TEST(TimerWheelModel, agrees_with_a_multimap_of_deadlines) {
    for (std::uint64_t seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        const std::uint32_t capacity = 1u << (seed % 9);
        const Instant start = seed % 3 == 0 ? -5 * second : static_cast<Instant>(seed) * 3'600 * second;
        Comparison comparison(seed, capacity, start);
        comparison.run(2'000);
        if (!HasFatalFailure()) comparison.drain();
    }
}

}  // namespace
}  // namespace ringpost
