#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <ringpost/error.hpp>
#include "engine/os/waker.hpp"
#include "engine/threaded/bounded_queue.hpp"

namespace ringpost {

/// One wake-up for a loop from any number of threads, which costs a system call only while the loop sleeps. See the
/// .cpp for why none is lost.
class WakeUp {
  public:
    enum State : std::uint32_t { awake, sleeping, finished };

    WakeUp() = default;
    ~WakeUp();
    WakeUp(const WakeUp&) = delete;
    WakeUp& operator=(const WakeUp&) = delete;

    /// Before anybody else uses this. Keeps a descriptor of its own, which outlives the loop's waker.
    std::optional<Error> by(const Waker& waker);

    // ---- other threads ------------------------------------------------------------------------

    /// After leaving something for the loop: wakes it if it sleeps. `finished`: the loop will not look again.
    State nudge();

    // ---- the loop -----------------------------------------------------------------------------

    /// The loop is about to sleep; false when it must not, since nothing_left() said that something waits for it.
    template <class NothingLeft>
    bool fall_asleep(NothingLeft&& nothing_left) {
        state_.store(sleeping, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (nothing_left()) return true;
        wake_up();
        return false;
    }
    /// The loop has woken up, and looks at everything others may have left before it falls asleep again.
    void wake_up() {
        // A store on every turn would take the cache line away from those who read it at every nudge.
        if (state_.load(std::memory_order_relaxed) == sleeping) state_.store(awake, std::memory_order_relaxed);
    }
    /// The loop has looked for the last time. What is left when this returns is the caller's to end, and what comes
    /// later that of whoever finds `finished`.
    void finish();

  private:
    alignas(cache_line_bytes) std::atomic<std::uint32_t> state_{awake};
    int fd_ = -1;
};

}  // namespace ringpost
