#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "engine/os/waker.hpp"

namespace ringpost {

/// A descriptor that is readable while event queues may hold something, for programs that wait for descriptors. It is
/// created on request; until then it costs the engine's thread one load for each turn with events.
class Ready {
  public:
    /// Any thread. -1: no descriptor is left.
    int fd() {
        const std::lock_guard lock(opening_);
        if (!waker_) {
            auto opened = Waker::open();
            if (!opened) return -1;
            waker_.emplace(std::move(*opened));
            wanted_.store(true, std::memory_order_release);
            // Either the engine sees wanted_, or this thread sees what it has pushed. Its fence is in Bell::ring().
            std::atomic_thread_fence(std::memory_order_seq_cst);
            waker_->wake();  // the queues may hold something already
        }
        return waker_->fd();
    }

    /// The engine's thread, after EventQueue::flush() has returned true.
    void set() const {
        if (wanted_.load(std::memory_order_acquire)) waker_->wake();
    }

    /// Any thread, after it has found a queue empty. `any_left` returns whether any of the queues holds something.
    template <class AnyLeft>
    void clear_unless(AnyLeft&& any_left) const {
        if (!wanted_.load(std::memory_order_acquire) || any_left()) return;
        waker_->clear();
        if (any_left()) waker_->wake();  // pushed in between; its set() may have come before clear()
    }

  private:
    std::mutex opening_;
    std::optional<Waker> waker_;
    std::atomic<bool> wanted_{false};
};

}  // namespace ringpost
