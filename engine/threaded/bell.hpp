#pragma once

#include <atomic>
#include <cstdint>
#include <ringpost/time.hpp>

#include "engine/os/clock.hpp"
#include "engine/os/futex.hpp"

namespace ringpost {

/// An event count: consumers of a queue sleep while it is empty, and producers wake them. ring() costs one fence while
/// no consumer sleeps.
///
/// No wake-up is lost. A consumer registers as a sleeper, then checks the queue again; a producer pushes to the queue,
/// then checks for sleepers; each has a sequentially consistent fence between the two. Whichever fence is first, the
/// other thread sees what precedes it: either the consumer finds the item, or the producer finds the sleeper and
/// increments rings_. If the increment follows the consumer's load of rings_, futex_wait() returns immediately or is
/// woken. If it precedes the load, the consumer's second check (acquire) sees the item.
class Bell {
  public:
    /// Calls attempt() after every ring until it returns true. False if `deadline` passes first.
    template <class Attempt>
    bool wait(Instant deadline, Attempt&& attempt) {
        while (!attempt()) {
            if (deadline <= now()) return false;
            sleepers_.fetch_add(1, std::memory_order_relaxed);
            const std::uint32_t seen = rings_.load(std::memory_order_acquire);
            std::atomic_thread_fence(std::memory_order_seq_cst);
            const bool done = attempt();
            if (!done) futex_wait(rings_, seen, deadline);
            sleepers_.fetch_sub(1, std::memory_order_relaxed);
            if (done) return true;
        }
        return true;
    }

    /// Wakes up to `count` sleepers.
    void ring(std::uint32_t count) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_relaxed) == 0) return;
        rings_.fetch_add(1, std::memory_order_release);
        futex_wake(rings_, count);
    }

  private:
    std::atomic<std::uint32_t> sleepers_{0}, rings_{0};
};

}  // namespace ringpost
