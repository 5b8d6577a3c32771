#pragma once

// The deadlines of a fixed set of timers, at a cost that does not depend on how many are set.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/check.hpp"

namespace ringpost {

/// The caller's own slot number for a timer: 0 to capacity - 1.
using TimerIndex = std::uint32_t;

/// A hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987); mechanism in
/// the .cpp. Deadlines are kept and compared exactly, whatever their distance: the tick only decides which are
/// looked at together. schedule, cancel and next are O(1); expire is amortised O(1) per timer, plus one look at
/// each timer of now's own tick. Nothing allocates after construction. Not thread-safe.
class TimerWheel {
  public:
    /// A tick is 2^tick_bits = 256 ns. Measured: with 16 us a million timers crowd 80 to a tick, every expire()
    /// looks at all of them, and a timer costs twice as much; below 256 ns the extra levels cost more than they
    /// save.
    static constexpr unsigned tick_bits = 8;

    /// Room for timers 0 to capacity - 1, none of them set. `start` is a hint, about the first `now`: a wheel that
    /// starts far behind the clock works the same but moves its timers once more.
    explicit TimerWheel(std::uint32_t capacity, Instant start = 0);

    /// Sets the timer to fire at `at`, dropping any deadline it had. `at` may lie in the past; the next expire()
    /// fires it.
    void schedule(TimerIndex index, Instant at);

    /// Unsets the timer; nothing happens if it is not set.
    void cancel(TimerIndex index);

    /// A hint that the timer will soon be scheduled or cancelled.
    void prefetch(TimerIndex index) const { __builtin_prefetch(&timers_[index], 1); }

    /// Whether the timer is set. A timer is unset from just before its on_expired call.
    [[nodiscard]] bool scheduled(TimerIndex index) const;

    /// When to call expire() next; nullopt if no timer is set. Never later than the earliest deadline, and equal to
    /// it unless the timer that had the deadline returned was cancelled or re-scheduled: then the caller wakes up
    /// too early, finds nothing, and asks again. At most one such wake-up per cancelled or re-scheduled timer, for
    /// after expire(now) next() is later than `now`. One exception: it is at or before `now` if on_expired itself
    /// scheduled a timer so. Not to be called from on_expired (checked).
    [[nodiscard]] std::optional<Instant> next() const;

    /// Calls on_expired(TimerIndex, Instant at) for every timer with at <= now, never earlier, and returns how
    /// many. Order: by tick (at >> tick_bits), any order inside a tick; a deadline that was already behind the
    /// latest `now` when it was scheduled counts as of that `now`. on_expired may schedule and cancel any timer,
    /// its own included: a timer cancelled or re-scheduled before its turn does not fire on its old deadline, and
    /// one scheduled at or before `now` fires in a later expire(), so that this call ends. on_expired may not throw
    /// or call expire() (checked). A `now` before an earlier one is legal.
    template <class F>
    std::size_t expire(Instant now, F&& on_expired);

    [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(timers_.size()); }

  private:
    using Tick = std::uint64_t;  // an Instant moved into the unsigned range, in ticks: 56 bits

    static constexpr unsigned slot_bits = 6;
    static constexpr unsigned slots = 1u << slot_bits;
    static constexpr unsigned levels = 10;
    static_assert(levels * slot_bits >= 64 - tick_bits, "every Instant has its slot, so none needs parking");

    static constexpr std::uint32_t none = 0xffff'ffff;

    // A list is named by level * slots + slot; two more names follow.
    using ListName = std::uint16_t;
    static constexpr ListName deferred = levels * slots;
    static constexpr ListName unset = deferred + 1;

    struct Timer {
        Instant at = 0;
        std::uint32_t previous = none;
        std::uint32_t following = none;
        ListName list = unset;
    };

    struct List {
        Instant earliest = 0;  // no later than any deadline in the list; meaningless while it is empty
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

    std::vector<Timer> timers_;
    std::array<List, levels * slots + 1> lists_;
    std::array<std::uint64_t, levels> occupied_{};  // a bit per slot whose list is not empty
    std::uint32_t levels_occupied_ = 0;             // a bit per level with an occupied slot
    Tick current_;                                  // no timer is due before it, but for those in its own slot
    Tick target_;                                   // where the expire() under way is heading
    std::uint32_t cursor_ = none;                   // the timer the expire() under way looks at next
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
