#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <ringpost/error.hpp>
#include "engine/os/waker.hpp"
#include "engine/threaded/bounded_queue.hpp"

namespace ringpost {

/// Wakes a loop from any number of threads, with a system call only while the loop sleeps. See the .cpp for why no
/// wake-up is lost.
class WakeUp {
  public:
    enum State : std::uint32_t { awake, sleeping, finished };

    WakeUp() = default;
    ~WakeUp();
    WakeUp(const WakeUp&) = delete;
    WakeUp& operator=(const WakeUp&) = delete;

    /// Call before any other use. Duplicates the waker's descriptor, so that notify() works after the loop has ended.
    std::optional<Error> attach(const Waker& waker);

    // ---- other threads ------------------------------------------------------------------------

    /// Call after publishing work for the loop: wakes it if it sleeps. Returns the state before; `finished` means that
    /// the loop will not check for work again.
    State notify();

    // ---- the loop -----------------------------------------------------------------------------

    /// Call before sleeping. False if the loop must not sleep, because no_work() returned false.
    template <class NoWork>
    bool prepare_sleep(NoWork&& no_work) {
        state_.store(sleeping, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (no_work()) return true;
        set_awake();
        return false;
    }
    /// Call after sleeping, before checking for work.
    void set_awake() {
        // Store only on change: otherwise every turn would invalidate the cache line that notify() reads.
        if (state_.load(std::memory_order_relaxed) == sleeping) state_.store(awake, std::memory_order_relaxed);
    }
    /// Call after the last check for work. When this returns, the caller must end work published before; a thread whose
    /// notify() returns `finished` must end work published later.
    void finish();

  private:
    alignas(cache_line_bytes) std::atomic<std::uint32_t> state_{awake};
    int fd_ = -1;
};

}  // namespace ringpost
