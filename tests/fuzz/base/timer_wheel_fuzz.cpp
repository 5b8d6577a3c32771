// Plays a script of calls to a timer wheel and an array of deadlines, and aborts on the first difference.
//
// A step is one byte: the lowest three bits select the operation, the upper five one of the 32 timers. Where needed, an
// offset from the current time follows: a byte with the sign (top bit), whether to round down to a multiple (bit 6) and
// the shift (lower six bits), then the bytes of a 16-bit mantissa. While timers fire, each callback uses the lowest two
// bits of the next byte as the number of steps it executes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "codec/base/check.hpp"
#include "codec/base/timer_wheel.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::base_timer_wheel {

namespace {

using ringpost::Duration;
using ringpost::Instant;
using ringpost::TimerIndex;
using ringpost::TimerWheel;

constexpr std::uint32_t timer_count = 32;

class Script {
  public:
    explicit Script(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    bool over() const { return bytes_.empty(); }

    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const std::uint8_t value = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return value;
    }

    // An instant some way before or after `now`, clamped to the range of Instant.
    Instant instant_near(Instant now) {
        const std::uint8_t shape = byte();
        const auto mantissa = static_cast<std::uint64_t>(byte() | byte() << 8);
        const auto distance = static_cast<Duration>((mantissa << (shape & 63)) >> 1);
        Instant at = 0;
        if (__builtin_add_overflow(now, (shape & 128) != 0 ? -distance : distance, &at)) {
            at = (shape & 128) != 0 ? std::numeric_limits<Instant>::min() : ringpost::never;
        }
        return (shape & 64) != 0 ? at & ~((Duration{1} << (shape & 63) >> 1) - 1) : at;
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

class Play {
  public:
    explicit Play(Script script) : script_(script), now_(script_.instant_near(0)), wheel_(timer_count, now_) {}

    void run() {
        while (!script_.over()) {
            const std::uint8_t step = script_.byte();
            if ((step & 7) < 5) {
                change(step);
            } else {
                advance(step);
                expire();
            }
            check_next();
        }
        drain();
    }

  private:
    struct Timer {
        std::optional<Instant> at;
        bool due = false;
        bool late = false;  // scheduled before the latest `now`, so it counts as due at that time
    };

    // Schedules or cancels. Returns true if it scheduled at or before now.
    bool change(std::uint8_t step) {
        const TimerIndex index = step >> 3;
        Timer& timer = timers_[index];
        RINGPOST_CHECK(wheel_.scheduled(index) == timer.at.has_value());
        if ((step & 7) == 0) {
            wheel_.cancel(index);
            timer = {};
            return false;
        }
        const Instant at = script_.instant_near(now_);
        wheel_.schedule(index, at);
        timer = {at, false, at < latest_};
        return at <= now_;
    }

    void advance(std::uint8_t step) {
        switch (step & 7) {
            case 5: now_ = wheel_.next().value_or(now_); break;
            case 6: now_ = std::max(now_, script_.instant_near(now_)); break;
            default: now_ = script_.instant_near(now_);
        }
    }

    void expire() {
        latest_ = std::max(latest_, now_);
        for (Timer& timer : timers_) timer.due = timer.at && *timer.at <= now_;
        bool scheduled_behind_now = false;
        Instant previous = std::numeric_limits<Instant>::min();
        std::size_t fired = 0;
        const std::size_t count = wheel_.expire(now_, [&](TimerIndex index, Instant at) {
            Timer& timer = timers_[index];
            RINGPOST_CHECK(timer.due && timer.at == at && !wheel_.scheduled(index));
            if (!timer.late) {
                RINGPOST_CHECK(previous >> TimerWheel::tick_bits <= at >> TimerWheel::tick_bits);
                previous = at;
            }
            timer = {};
            ++fired;
            for (int steps = script_.byte() & 3; steps > 0; --steps) scheduled_behind_now |= change(script_.byte());
        });
        RINGPOST_CHECK(count == fired);
        for (const Timer& timer : timers_) RINGPOST_CHECK(!timer.due);
        if (const auto next = wheel_.next(); next && !scheduled_behind_now) RINGPOST_CHECK(*next > now_);
    }

    std::optional<Instant> earliest() const {
        std::optional<Instant> earliest;
        for (const Timer& timer : timers_) {
            if (timer.at && (!earliest || *timer.at < *earliest)) earliest = timer.at;
        }
        return earliest;
    }

    void check_next() const {
        const std::optional<Instant> deadline = earliest();
        const std::optional<Instant> next = wheel_.next();
        RINGPOST_CHECK(deadline.has_value() == next.has_value());
        RINGPOST_CHECK(!deadline || *next <= *deadline);
    }

    // Sleeping until next() must empty the wheel, with at most one early wake-up per cancelled deadline.
    void drain() {
        for (int wake_ups = 0; wheel_.next(); ++wake_ups) {
            RINGPOST_CHECK(wake_ups <= 4'096 + static_cast<int>(timer_count));
            now_ = std::max(now_, *wheel_.next());
            expire();
            check_next();
        }
    }

    Script script_;
    Instant now_;
    Instant latest_ = now_;
    TimerWheel wheel_;
    std::array<Timer, timer_count> timers_{};
};

int run(const std::uint8_t* data, std::size_t size) {
    Play(Script(std::span(data, std::min<std::size_t>(size, 4'096)))).run();
    return 0;
}

const Target registered("base/timer_wheel", run);

}  // namespace
}  // namespace ringpost::fuzz::base_timer_wheel
