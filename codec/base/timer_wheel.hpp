#pragma once

// Deadlines for a fixed set of timers, at a cost independent of how many are set.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/base/check.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// Index of a timer, assigned by the caller: 0 to capacity - 1.
using TimerIndex = std::uint32_t;

/// A hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987); see the .cpp for
/// the mechanism. Deadlines are exact, whatever their distance; ticks only group the timers that are examined together.
/// schedule, cancel and next are O(1). expire is amortised O(1) per timer, plus a check of each timer in the tick of
/// `now`. Nothing is allocated after construction. Not thread-safe.
class TimerWheel {
  public:
    /// A tick is 2^tick_bits = 256 ns. Measured: with ticks of 16 us, a million timers share ticks by 80, every
    /// expire() examines all of these, and a timer costs twice as much. Below 256 ns the additional levels cost more
    /// than they save.
    static constexpr unsigned tick_bits = 8;

    /// Constructs a wheel for timers 0 to capacity - 1, none of them set. `start` should be close to the first `now`;
    /// otherwise timers are moved once more.
    explicit TimerWheel(std::uint32_t capacity, Instant start = 0);

    /// Sets the timer to expire at `at`, replacing any earlier deadline. If `at` is in the past, it fires in the next
    /// expire().
    void schedule(TimerIndex index, Instant at);

    /// Clears the timer. Has no effect if it is not set.
    void cancel(TimerIndex index);

    /// Prefetches a timer that will be scheduled or cancelled soon.
    void prefetch(TimerIndex index) const { __builtin_prefetch(&timers_[index], 1); }

    /// Whether the timer is set. It is cleared just before its on_expired call.
    [[nodiscard]] bool scheduled(TimerIndex index) const;

    /// When to call expire() next; nullopt if no timer is set. Never later than the earliest deadline, and equal to it
    /// unless the timer with the returned deadline was cancelled or rescheduled. In that case the caller wakes up early
    /// once, since after expire(now) next() is later than `now`. Exception: next() is at or before `now` if on_expired
    /// scheduled a timer then. Must not be called from on_expired.
    [[nodiscard]] std::optional<Instant> next() const;

    /// Calls on_expired(TimerIndex, Instant at) for every timer with at <= now and returns their number. Timers fire in
    /// order of their tick (at >> tick_bits), in any order within a tick. A deadline that was already before the latest
    /// `now` when it was scheduled is treated as equal to it. on_expired may schedule and cancel any timer, including
    /// its own: a timer cancelled or rescheduled before its turn does not fire for its old deadline, and one scheduled
    /// at or before `now` fires in a later expire(), so that this call ends. on_expired must not throw or call
    /// expire(). `now` may be earlier than in a previous call.
    template <class F>
    std::size_t expire(Instant now, F&& on_expired);

    [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(timers_.size()); }

  private:
    using Tick = std::uint64_t;  // an Instant shifted to the unsigned range, in ticks: 56 bits

    static constexpr unsigned slot_bits = 6;
    static constexpr unsigned slots = 1u << slot_bits;
    static constexpr unsigned levels = 10;
    static_assert(levels * slot_bits >= 64 - tick_bits, "every Instant has its slot, so none needs parking");

    static constexpr std::uint32_t none = 0xffff'ffff;

    // Lists are identified by level * slots + slot; one more identifier follows.
    using ListName = std::uint16_t;
    static constexpr ListName deferred = levels * slots;

    struct Timer {
        Instant at;
        std::uint32_t previous, following;  // meaningless if it is not set
        ListName list_and_1;                // 0 if it is not set

        bool set() const { return list_and_1 != 0; }
        ListName list() const { return static_cast<ListName>(list_and_1 - 1); }
    };

    struct List {
        Instant earliest = 0;  // not later than any deadline in the list; meaningless if it is empty
        std::uint32_t first = none;
    };

    static Tick tick_of(Instant at) { return (static_cast<std::uint64_t>(at) ^ (1ull << 63)) >> tick_bits; }

    void link(TimerIndex index, ListName name);
    void unlink(TimerIndex index);
    ListName place_of(Tick tick) const;
    ListName first_list() const;
    void begin_expiry(Instant now);
    std::optional<ListName> advance();
    void cascade(ListName name);
    void end_expiry();

    ZeroedArray<Timer> timers_;
    std::array<List, levels * slots + 1> lists_;
    std::array<std::uint64_t, levels> occupied_{};  // one bit per slot with a non-empty list
    std::uint32_t levels_occupied_ = 0;             // one bit per level with an occupied slot
    Tick current_;                                  // no timer is due before it, except those in its slot
    Tick target_;                                   // the tick at which the expire() in progress ends
    std::uint32_t cursor_ = none;                   // the next timer to be examined by the expire() in progress
    bool expiring_ = false;
};

template <class F>
std::size_t TimerWheel::expire(Instant now, F&& on_expired) {
    std::size_t fired = 0;
    begin_expiry(now);
    while (const std::optional<ListName> name = advance()) {
        List& due = lists_[*name];
        if (due.earliest <= now) {
            Instant earliest = never;
            for (cursor_ = due.first; cursor_ != none;) {
                const TimerIndex index = cursor_;
                const Instant at = timers_[index].at;
                cursor_ = timers_[index].following;
                if (at > now) {
                    earliest = std::min(earliest, at);
                    continue;
                }
                unlink(index);
                ++fired;
                on_expired(index, at);
            }
            due.earliest = earliest;
        }
        if (current_ == target_) break;
    }
    end_expiry();
    return fired;
}

}  // namespace ringpost
