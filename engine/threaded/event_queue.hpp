#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <ringpost/time.hpp>
#include <utility>

#include "engine/threaded/bell.hpp"
#include "engine/threaded/bounded_queue.hpp"

namespace ringpost {

/// Events from an engine's thread (the only producer) to any number of consumers, which can wait for them.
template <class Item>
class EventQueue {
  public:
    /// `capacity`: see BoundedQueue.
    explicit EventQueue(std::uint32_t capacity) : queue_(capacity) {}

    std::uint32_t capacity() const { return queue_.capacity(); }

    // ---- the engine's thread --------------------------------------------------------------------

    /// False if full, or if what else limits the queue has no room. Sets room_wanted() for the consumer that makes
    /// room.
    bool has_room(bool else_has_room = true) {
        const bool full = queue_.full() || !else_has_room;
        // A store for every item would take the cache line away from the consumers.
        if (full != room_wanted_.load(std::memory_order_relaxed)) room_wanted_.store(full, std::memory_order_relaxed);
        return !full;
    }
    bool try_push(const Item& item) {
        const bool pushed = queue_.try_push(item);
        pushed_ += pushed ? 1 : 0;
        return pushed;
    }
    /// Wakes one consumer for each item pushed since the last flush(). Returns whether there was one.
    bool flush() {
        if (pushed_ > 0) bell_.ring(pushed_);
        return std::exchange(pushed_, 0) > 0;
    }
    /// No more items follow: pop() no longer waits once the queue is empty.
    void close() {
        closed_.store(true, std::memory_order_release);
        bell_.ring(all_waiters);
    }
    /// Pushes an item after the engine's thread has ended; any thread. Calls yield() while the queue is full.
    template <class Yield>
    void push_late(const Item& item, Yield&& yield) {
        while (!queue_.try_push(item)) yield();
        bell_.ring(1);
    }

    // ---- any thread -----------------------------------------------------------------------------

    /// Returns the oldest item, waiting until `deadline`; nullopt on timeout, or when the queue is closed and empty.
    std::optional<Item> pop(Instant deadline) {
        std::optional<Item> item;
        bell_.wait(deadline, [&] {
            const bool closed = closed_.load(std::memory_order_acquire);
            item = queue_.try_pop();
            return item || closed;
        });
        return item;
    }
    bool empty() const { return queue_.empty(); }
    /// Whether pop() would return without waiting: there is an item, or the queue is closed.
    bool ready() const { return !queue_.empty() || closed_.load(std::memory_order_acquire); }
    /// The engine found the queue full and waits for room: wake it. Call it after pop().
    bool room_wanted() const {
        // Either this thread sees room_wanted_, or the engine sees the room: each stores, fences, then loads. The
        // engine's fence is in WakeUp::prepare_sleep().
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return room_wanted_.load(std::memory_order_relaxed);
    }
    /// Room is wanted and available.
    bool has_wanted_room() const { return room_wanted_.load(std::memory_order_relaxed) && !queue_.full(); }

  private:
    BoundedQueue<Item> queue_;
    Bell bell_;
    std::uint32_t pushed_ = 0;  ///< since the last flush()
    std::atomic<bool> room_wanted_{false}, closed_{false};
};

}  // namespace ringpost
