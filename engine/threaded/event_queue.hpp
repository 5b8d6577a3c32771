#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <ringpost/time.hpp>

#include "engine/threaded/bell.hpp"
#include "engine/threaded/bounded_queue.hpp"

namespace ringpost {

/// Events from an engine's thread to any number of other threads, which may sleep until there is one.
template <class Item>
class EventQueue {
  public:
    /// `capacity` as of BoundedQueue.
    explicit EventQueue(std::uint32_t capacity) : queue_(capacity) {}

    std::uint32_t capacity() const { return queue_.capacity(); }

    // ---- the engine's thread --------------------------------------------------------------------

    /// False: full. The consumer that then makes room sees room_wanted().
    bool has_room() {
        const bool full = queue_.full();
        room_wanted_.store(full, std::memory_order_relaxed);
        return !full;
    }
    bool try_push(const Item& item) {
        const bool pushed = queue_.try_push(item);
        pushed_ += pushed ? 1 : 0;
        return pushed;
    }
    /// Wakes a sleeper for each item pushed since the last flush().
    void flush() {
        if (pushed_ > 0) bell_.ring(pushed_);
        pushed_ = 0;
    }
    /// No item follows: consumers no longer wait once the queue is empty.
    void close() {
        closed_.store(true, std::memory_order_release);
        bell_.ring(everybody);
    }
    /// An item that the engine left behind when it ended, pushed by the thread that found it. Waits for a place.
    template <class Yield>
    void push_late(const Item& item, Yield&& yield) {
        while (!queue_.try_push(item)) yield();
        bell_.ring(1);
    }

    // ---- any thread -----------------------------------------------------------------------------

    /// The oldest item; nothing when there is none until `deadline`, or none can follow.
    std::optional<Item> pop(Instant deadline) {
        std::optional<Item> item;
        bell_.wait(deadline, [&] {
            const bool closed = closed_.load(std::memory_order_acquire);
            item = queue_.try_pop();
            return item || closed;
        });
        // Either this sees that room is wanted, or has_room() sees the room: each stores, fences, then loads. The
        // engine's fence is that of falling asleep.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return item;
    }
    /// The engine has found the queue full and waits for room: wake it after a pop().
    bool room_wanted() const { return room_wanted_.load(std::memory_order_relaxed); }
    /// Room is wanted, and there is some.
    bool has_wanted_room() const { return room_wanted() && !queue_.full(); }

  private:
    BoundedQueue<Item> queue_;
    Bell bell_;
    std::uint32_t pushed_ = 0;  ///< since the last flush()
    std::atomic<bool> room_wanted_{false}, closed_{false};
};

}  // namespace ringpost
