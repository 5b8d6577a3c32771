#pragma once

#include <atomic>
#include <cstdint>
#include <ringpost/time.hpp>

#include "engine/os/clock.hpp"
#include "engine/os/futex.hpp"

namespace ringpost {

/// A one-shot notification from one thread to another, which owns this object.
class Done {
  public:
    /// The owner may destroy this object as soon as the store is visible. After it, only the address is used, and a
    /// stray wake-up on that address is harmless.
    void notify() {
        done_.store(1, std::memory_order_release);
        futex_wake(done_, 1);
    }
    /// False if `deadline` passes first.
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
