#pragma once

#include <atomic>
#include <cstdint>
#include <ringpost/time.hpp>

#include "engine/os/clock.hpp"
#include "engine/os/futex.hpp"

namespace ringpost {

/// One notification from one thread to another, which owns this.
class Done {
  public:
    /// After the store this may already be destroyed: only its address is used then, and waking a sleeper on that
    /// address has no effect.
    void notify() {
        done_.store(1, std::memory_order_release);
        futex_wake(done_, 1);
    }
    /// False when `deadline` has passed first.
    bool wait(Instant deadline) const {
        while (done_.load(std::memory_order_acquire) == 0) {
            if (deadline <= now()) return false;
            futex_wait(done_, 0, deadline);
        }
        return true;
    }

  private:
    std::atomic<std::uint32_t> done_{0};
};

}  // namespace ringpost
