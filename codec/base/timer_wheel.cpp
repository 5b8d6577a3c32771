// The wheel consists of ten rings of 64 slots. A tick number of 56 bits is read as ten digits of six bits. A timer is
// stored on the level of the highest digit in which its tick differs from the current tick, in the slot given by that
// digit. On every level all timers are therefore ahead of the current digit without wrapping around, all timers of a
// level are due before those of the level above, and the first bit in the bitmap of the lowest occupied level is the
// earliest slot. It is found with two bit scans, regardless of the time until then.
//
// expire(now) moves from one occupied slot to the next. At a slot above level 0, the current tick becomes the first
// tick of the slot, and its timers cascade to lower levels. A timer cascades at most nine times; one that is cancelled
// early usually never does. At a slot on level 0, its timers fire. Only the slot of the tick of `now` can hold timers
// that are not due yet; they stay. A deadline before the current tick goes to the slot of the current tick.
//
// Each list keeps the earliest deadline linked into it since it was last empty, which next() returns. Unlinking does
// not search for the new minimum, so the value may be too early. Walking the list in expire() or cascading it makes it
// exact again.
//
// Re-entrancy: while expire() runs, timers scheduled up to the target tick go to the deferred list, which is not
// walked, and move to the current slot at the end. Unlinking the timer at the walk's cursor advances the cursor.

#include "codec/base/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace ringpost {

TimerWheel::TimerWheel(std::uint32_t capacity, Instant start)
    : timers_(capacity), current_(tick_of(start)), target_(current_) {
    RINGPOST_CHECK(capacity < none);
}

void TimerWheel::schedule(TimerIndex index, Instant at) {
    RINGPOST_CHECK(index < timers_.size());
    if (timers_[index].set()) unlink(index);
    timers_[index].at = at;
    const Tick tick = std::max(tick_of(at), current_);
    link(index, expiring_ && tick <= target_ ? deferred : place_of(tick));
}

void TimerWheel::cancel(TimerIndex index) {
    RINGPOST_CHECK(index < timers_.size());
    if (timers_[index].set()) unlink(index);
}

bool TimerWheel::scheduled(TimerIndex index) const {
    RINGPOST_CHECK(index < timers_.size());
    return timers_[index].set();
}

std::optional<Instant> TimerWheel::next() const {
    RINGPOST_CHECK(!expiring_);
    if (levels_occupied_ == 0) return std::nullopt;
    return lists_[first_list()].earliest;
}

TimerWheel::ListName TimerWheel::place_of(Tick tick) const {
    const Tick difference = (tick ^ current_) | (slots - 1);
    const auto level = static_cast<unsigned>(std::bit_width(difference) - 1) / slot_bits;
    const auto slot = static_cast<unsigned>(tick >> (level * slot_bits)) % slots;
    return static_cast<ListName>(level * slots + slot);
}

// The list of the earliest slot. A timer must be set.
TimerWheel::ListName TimerWheel::first_list() const {
    const auto level = static_cast<unsigned>(std::countr_zero(levels_occupied_));
    const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    return static_cast<ListName>(level * slots + slot);
}

void TimerWheel::link(TimerIndex index, ListName name) {
    Timer& timer = timers_[index];
    List& list = lists_[name];
    const bool was_empty = list.first == none;
    timer.previous = none;
    timer.following = list.first;
    timer.list_and_1 = static_cast<ListName>(name + 1);
    if (!was_empty) timers_[list.first].previous = index;
    list.first = index;
    list.earliest = was_empty ? timer.at : std::min(list.earliest, timer.at);
    if (was_empty && name != deferred) {
        occupied_[name / slots] |= 1ull << (name % slots);
        levels_occupied_ |= 1u << (name / slots);
    }
}

void TimerWheel::unlink(TimerIndex index) {
    Timer& timer = timers_[index];
    const ListName name = timer.list();
    List& list = lists_[name];
    if (cursor_ == index) cursor_ = timer.following;
    (timer.previous == none ? list.first : timers_[timer.previous].following) = timer.following;
    if (timer.following != none) timers_[timer.following].previous = timer.previous;
    if (list.first == none && name != deferred) {
        const auto level = static_cast<unsigned>(name / slots);
        occupied_[level] &= ~(1ull << (name % slots));
        if (occupied_[level] == 0) levels_occupied_ &= ~(1u << level);
    }
    timer.list_and_1 = 0;
}

void TimerWheel::begin_expiry(Instant now) {
    RINGPOST_CHECK(!expiring_);
    expiring_ = true;
    target_ = std::max(tick_of(now), current_);
}

// Moves the current tick to the next occupied slot on level 0 up to the target, cascading on the way, and returns its
// list. Without such a slot, moves to the target and returns nullopt.
std::optional<TimerWheel::ListName> TimerWheel::advance() {
    while (levels_occupied_ != 0) {
        const ListName name = first_list();
        const unsigned shift = name / slots * slot_bits;
        const Tick start = (((current_ >> shift) & ~Tick{slots - 1}) | (name % slots)) << shift;
        if (start > target_) break;
        current_ = start;
        if (shift == 0) return name;
        cascade(name);
    }
    current_ = target_;
    return std::nullopt;
}

// Moves the timers of a slot that the current tick has just entered to lower levels.
void TimerWheel::cascade(ListName name) {
    while (lists_[name].first != none) {
        const TimerIndex index = lists_[name].first;
        unlink(index);
        link(index, place_of(tick_of(timers_[index].at)));
    }
}

void TimerWheel::end_expiry() {
    RINGPOST_CHECK(current_ == target_);
    expiring_ = false;
    while (lists_[deferred].first != none) {
        const TimerIndex index = lists_[deferred].first;
        unlink(index);
        link(index, place_of(current_));
    }
}

}  // namespace ringpost
