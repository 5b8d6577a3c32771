#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include "codec/base/check.hpp"

namespace ringpost {

/// Alignment of data written by different threads, to avoid false sharing.
inline constexpr std::size_t cache_line_bytes = 64;

/// A lock-free multi-producer multi-consumer FIFO queue of fixed capacity. Does not allocate after construction.
///
/// Source: Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net). Each cell stores the position for which it is ready:
/// the push position while free, one more while filled. A thread claims a position by advancing push_ or pop_. It then
/// owns the cell until it advances the cell's number, which also publishes the item (release to acquire).
///
/// A thread that is suspended in between blocks its cell. Until it resumes, try_pop() may report empty although later
/// cells are filled, and try_push() full although later cells are free. Callers must treat both as "try again later".
template <class T>
class BoundedQueue {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    /// `capacity` is a power of two and at least 2 (checked): with one cell, "filled" and "free for the next position"
    /// would be the same number.
    explicit BoundedQueue(std::uint32_t capacity) : cells_(new Cell[capacity]), mask_(capacity - 1) {
        RINGPOST_CHECK(capacity >= 2 && std::has_single_bit(capacity));
        for (std::uint64_t i = 0; i < capacity; ++i) cells_[i].ready_for.store(i, std::memory_order_relaxed);
    }

    std::uint32_t capacity() const { return static_cast<std::uint32_t>(mask_ + 1); }

    /// False if full.
    bool try_push(const T& item) {
        std::uint64_t position = push_.next.load(std::memory_order_relaxed);
        while (true) {
            Cell& cell = cells_[position & mask_];
            const std::int64_t ahead = cell.ahead_of(position);
            if (ahead < 0) return false;
            if (ahead > 0) {
                position = push_.next.load(std::memory_order_relaxed);
            } else if (push_.next.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                cell.item = item;
                cell.ready_for.store(position + 1, std::memory_order_release);
                return true;
            }
        }
    }

    /// Removes and returns the oldest item; nullopt if empty.
    std::optional<T> try_pop() {
        std::uint64_t position = pop_.next.load(std::memory_order_relaxed);
        while (true) {
            Cell& cell = cells_[position & mask_];
            const std::int64_t ahead = cell.ahead_of(position + 1);
            if (ahead < 0) return std::nullopt;
            if (ahead > 0) {
                position = pop_.next.load(std::memory_order_relaxed);
            } else if (pop_.next.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                const T item = cell.item;
                cell.ready_for.store(position + capacity(), std::memory_order_release);
                return item;
            }
        }
    }

    /// Whether try_push() would fail now. With a single producer, false remains valid until its next push.
    bool full() const {
        const std::uint64_t position = push_.next.load(std::memory_order_relaxed);
        return cells_[position & mask_].ahead_of(position) < 0;
    }
    /// Whether try_pop() would fail now. With a single consumer, false remains valid until its next pop.
    bool empty() const {
        const std::uint64_t position = pop_.next.load(std::memory_order_relaxed);
        return cells_[position & mask_].ahead_of(position + 1) < 0;
    }

  private:
    struct Cell {
        std::atomic<std::uint64_t> ready_for;
        T item;

        std::int64_t ahead_of(std::uint64_t position) const {
            return static_cast<std::int64_t>(ready_for.load(std::memory_order_acquire) - position);
        }
    };

    /// The position of one end, on its own cache line.
    struct alignas(cache_line_bytes) Position {
        std::atomic<std::uint64_t> next{0};
        std::byte unused[cache_line_bytes - sizeof(std::uint64_t)];
    };

    std::unique_ptr<Cell[]> cells_;
    std::uint64_t mask_;
    Position push_, pop_;
};

}  // namespace ringpost
