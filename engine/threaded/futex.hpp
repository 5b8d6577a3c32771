#pragma once

// Sleeping until another thread has done something: what std::atomic::wait does, with a deadline.

#include <atomic>
#include <cstdint>

#include <ringpost/time.hpp>
#include "engine/os/clock.hpp"

namespace ringpost {

/// Sleeps unless `word` is no longer `seen`; until woken, or `deadline` has passed, or for no reason. See futex(2).
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Instant deadline);
/// Wakes up to `count` of those asleep on `word`.
void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count);

inline constexpr std::uint32_t everybody = 0x7fff'ffff;

/// A queue's bell: who finds it empty sleeps here, and who has filled it rings. Ringing costs one fence while nobody
/// sleeps.
///
/// No ring is missed. The sleeper announces itself, then looks at the queue a last time; the ringer fills the queue,
/// then looks for sleepers; each has a sequentially consistent fence between the two. Whichever fence is first, the
/// other thread sees what stands before it: either the sleeper finds the item, or the ringer finds the sleeper. In the
/// latter case rings_ changes: after the sleeper has read it, and futex_wait() returns at once or is woken; or before,
/// and then the sleeper's last look (acquire) sees the item.
class Bell {
  public:
    /// Calls attempt() until it returns true, at every ring; false when `deadline` has passed without.
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

    /// There is something for `count` of the sleepers.
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
