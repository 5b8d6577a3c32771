#pragma once

#include <cstdint>
#include <ringpost/native/types.hpp>

namespace ringpost::native {

constexpr std::uint64_t message_cost(std::uint64_t bytes) { return bytes + message_overhead; }

/// The sending side of flow control, of one channel or of a connection. Costs and limits are sums since the beginning.
class SendCredit {
  public:
    explicit SendCredit(std::uint64_t limit) : limit_(limit) {}

    std::uint64_t left() const { return limit_ - used_; }
    std::uint64_t limit() const { return limit_; }
    void use(std::uint64_t cost) { used_ += cost; }
    /// The peer's newest limit. Limits never shrink; an old one is ignored. Returns whether it is more.
    bool raise(std::uint64_t limit) {
        if (limit <= limit_) return false;
        limit_ = limit;
        return true;
    }
    /// Something does not fit. Returns whether this limit has not been reported yet.
    bool report_blocked() {
        if (reported_ == limit_ + 1) return false;
        reported_ = limit_ + 1;
        return true;
    }
    /// A report was lost: it may be repeated, if it still holds.
    void forget_report() { reported_ = 0; }
    bool reported() const { return reported_ == limit_ + 1; }

  private:
    std::uint64_t limit_, used_ = 0;
    std::uint64_t reported_ = 0;  ///< the limit that was reported, plus 1
};

/// The receiving side: what is received must stay below what was offered, and what the application has taken is offered
/// again in steps of half a window.
class ReceiveCredit {
  public:
    explicit ReceiveCredit(std::uint64_t window) : window_(window), limit_(window) {}

    std::uint64_t window() const { return window_; }
    std::uint64_t limit() const { return limit_; }
    /// Returns false if the peer sends more than it may.
    bool receive(std::uint64_t cost) {
        received_ += cost;
        return received_ <= limit_;
    }
    bool fits(std::uint64_t cost) const { return received_ + cost <= limit_; }
    void consume(std::uint64_t cost) {
        consumed_ += cost;
        if (peer_blocked_ || consumed_ + window_ - limit_ >= window_ / 2) update_due_ = true;
    }
    /// The peer cannot go on: it gets what there is now, or as soon as there is anything.
    void on_blocked() {
        if (consumed_ + window_ > limit_)
            update_due_ = true;
        else
            peer_blocked_ = true;
    }
    bool update_due() const { return update_due_; }
    /// The peer asked, or an offer was lost: the newest limit is sent (again).
    void repeat() { update_due_ = true; }
    /// The limit to send now. One that is only repeated does not help a peer that is blocked.
    std::uint64_t take_update() {
        update_due_ = false;
        if (consumed_ + window_ > limit_) peer_blocked_ = false;
        return limit_ = consumed_ + window_;
    }

  private:
    std::uint64_t window_, limit_;
    std::uint64_t received_ = 0, consumed_ = 0;
    bool update_due_ = false;
    bool peer_blocked_ = false;
};

}  // namespace ringpost::native
