#pragma once

// The events for the application, in order: changes, asks that have ended, and connections with frames. A connection is
// queued once, however many frames it holds. Its turn delivers all of them, so an event that follows the first frame is
// delivered after the last one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "codec/base/limits.hpp"
#include "codec/devices/options.hpp"

namespace ringpost::devices {

struct Pending {
    enum class Kind : std::uint8_t { change, ask, frames };
    Kind kind = Kind::change;
    std::uint32_t index = 0;  ///< of the ask or the stream
    // Only for a change:
    Event::Kind what = Event::Kind::appeared;
    Cause cause = Cause::closed;
    Address address;
    std::size_t unsent = 0;
    std::string name;
};

class Events {
  public:
    explicit Events(Counters& counts) : counts_(counts) {}

    void push_frames(std::uint32_t stream) { push(Pending::Kind::frames, stream); }
    void push_ask(std::uint32_t index) { push(Pending::Kind::ask, index); }
    /// Drops and counts the change if limits::devices_notices_max are queued.
    void push_change(Event::Kind what, std::string_view name, const Address& address, Cause cause = Cause::closed,
                     std::size_t unsent = 0) {
        if (changes_ == limits::devices_notices_max) {
            ++counts_.notices_dropped;
            return;
        }
        ++changes_;
        pending_.push_back({Pending::Kind::change, 0, what, cause, address, unsent, std::string(name)});
    }

    bool empty() const { return pending_.empty(); }
    const Pending& front() const { return pending_.front(); }
    void pop() {
        changes_ -= pending_.front().kind == Pending::Kind::change;
        pending_.pop_front();
    }

  private:
    void push(Pending::Kind kind, std::uint32_t index) {
        Pending& pending = pending_.emplace_back();
        pending.kind = kind;
        pending.index = index;
    }

    Counters& counts_;
    std::deque<Pending> pending_;
    std::size_t changes_ = 0;
};

}  // namespace ringpost::devices
