#pragma once

#include <algorithm>
#include <cstdint>

#include <ringpost/time.hpp>

namespace ringpost::native {

/// Finds out that the peer is gone, and keeps an idle connection alive. A program that was itself stopped for a while
/// does not conclude that the peer is dead: that time does not count, and it asks first.
class Idle {
  public:
    /// `timeout`: the shorter one of both sides. The peer is asked before half of it.
    Idle(Duration timeout, Duration keep_alive)
        : timeout_(timeout), keep_alive_(std::min(keep_alive, std::max<Duration>(timeout / 2, 1))) {}

    void start(Instant now) { on_received(now); }
    void on_received(Instant now) {
        dead_at_ = now + timeout_;
        ask_at_ = now + keep_alive_;
        waiting_ = false;
    }
    /// This process did not run for some time, after the connection was due.
    void on_stall(Duration stalled) { dead_at_ += stalled; }
    /// An answer is given time to come, but only to the first packet after one was received. `patience`: three probe
    /// timeouts (RFC 9000, 10.1).
    void on_sent_eliciting(Instant now, Duration patience) {
        if (waiting_) return;
        waiting_ = true;
        dead_at_ = std::max(dead_at_, now + patience);
    }

    enum class Due : std::uint8_t { nothing, ask, dead };
    Due expire(Instant now) {
        if (now >= dead_at_) return Due::dead;
        if (now < ask_at_) return Due::nothing;
        ask_at_ = now + keep_alive_;
        return Due::ask;
    }
    Instant due_at() const { return std::min(dead_at_, ask_at_); }

  private:
    Duration timeout_, keep_alive_;
    Instant dead_at_ = never, ask_at_ = never;
    bool waiting_ = false;  ///< something that is answered was sent since the last packet was received
};

}  // namespace ringpost::native
