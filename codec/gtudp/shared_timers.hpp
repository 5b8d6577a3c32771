#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/base/timer_wheel.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/gtudp/exchange_table.hpp"

namespace ringpost::gtudp {

/// The timers of the exchanges in an ExchangeTable. Exchanges with one peer that are set at the same time for the same
/// interval, and whose identities are within 64 of each other, share a timer: those of a train. An exchange keeps the
/// index of its timer. All operations are O(1). Nothing is allocated after construction. Not thread-safe.
class SharedTimers {
  public:
    /// For at most `capacity` exchanges that have a timer at once.
    SharedTimers(std::uint32_t capacity, Instant start) : wheel_(capacity + 1, start), groups_(capacity + 1) {}

    /// Sets a timer for an exchange that has none, to expire interval() after `now`. All exchanges of a peer with the
    /// same `kind` and `now` must have the same interval; it is determined once for those that share a timer. Returns
    /// the timer.
    template <class Interval>
    TimerIndex set(Instant now, PeerIndex peer, Identity identity, std::uint8_t kind, Interval&& interval) {
        if (latest_ != none && now == latest_set_at_ && kind == latest_kind_) {
            Group& group = groups_[latest_];
            const Identity offset = identity - group.first;
            if (group.peer == peer && offset < identities_max) {
                group.members |= 1ull << offset;
                return latest_;
            }
        }
        latest_ = set_alone(now + interval(), peer, identity);
        latest_set_at_ = now;
        latest_kind_ = kind;
        return latest_;
    }

    /// Sets a timer that no other exchange will share, to expire at `at`.
    TimerIndex set_alone(Instant at, PeerIndex peer, Identity identity) {
        const TimerIndex timer = take_free();
        groups_[timer] = {.peer = peer, .first = identity, .members = 1};
        wheel_.schedule(timer, at);
        return timer;
    }

    /// Clears the timer of an exchange that has one.
    void clear(TimerIndex timer, Identity identity) {
        Group& group = groups_[timer];
        group.members &= ~(1ull << (identity - group.first));
        if (group.members == 0 && timer != expiring_) free(timer);
    }

    /// See TimerWheel::next().
    std::optional<Instant> next() const { return wheel_.next(); }

    /// Calls on_expired(PeerIndex, Identity) for every exchange whose timer is due, after clearing it. on_expired may
    /// set and clear timers; see TimerWheel::expire().
    template <class F>
    void expire(Instant now, F&& on_expired) {
        wheel_.expire(now, [&](TimerIndex timer, Instant) {
            if (timer == latest_) latest_ = none;
            expiring_ = timer;
            for (Group& group = groups_[timer]; group.members != 0;) {
                const auto offset = static_cast<Identity>(std::countr_zero(group.members));
                group.members &= group.members - 1;
                on_expired(group.peer, group.first + offset);
            }
            expiring_ = none;
            free(timer);
        });
    }

  private:
    static constexpr Identity identities_max = 64;

    struct Group {
        PeerIndex peer;
        Identity first;         ///< in a free group the next free one
        std::uint64_t members;  ///< one bit for each identity from `first` on
    };

    /// A freed timer or, if there is none, one that was never used.
    TimerIndex take_free() {
        const TimerIndex timer = free_;
        if (timer == none) return unused_++;
        free_ = groups_[timer].first;
        return timer;
    }

    void free(TimerIndex timer) {
        wheel_.cancel(timer);
        if (timer == latest_) latest_ = none;
        groups_[timer].first = free_;
        free_ = timer;
    }

    TimerWheel wheel_;
    ZeroedArray<Group> groups_;
    TimerIndex free_ = none, unused_ = 0;  ///< unused_ and those after it were never used
    TimerIndex expiring_ = none;
    TimerIndex latest_ = none;  ///< set last; the next exchange may share it
    Instant latest_set_at_ = 0;
    std::uint8_t latest_kind_ = 0;
};

}  // namespace ringpost::gtudp
