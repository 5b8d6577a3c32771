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

/// What two threads write stands so far apart.
inline constexpr std::size_t cache_line_bytes = 64;

/// First-in first-out of a fixed capacity, for any number of threads at both ends, without locks and without allocating
/// after construction. Full and empty are answers.
///
/// Source: Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net). Each cell carries the position it is ready for: its own
/// number when free, one more when filled. A thread takes a position by moving push_ or pop_ on, and then has the cell
/// for itself until it moves the cell's number on, which is also what hands the item over (release to acquire).
///
/// A thread that is suspended between the two holds up its one cell: until it goes on, try_pop() may say empty although
/// later items are there, and try_push() full although later cells are free. Callers take both answers as «not now».
template <class T>
class BoundedQueue {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    /// `capacity` is a power of two, and 2 at least (checked): with one cell, filled and free for the next would be the
    /// same number.
    explicit BoundedQueue(std::uint32_t capacity) : cells_(new Cell[capacity]), mask_(capacity - 1) {
        RINGPOST_CHECK(capacity >= 2 && std::has_single_bit(capacity));
        for (std::uint64_t i = 0; i < capacity; ++i) cells_[i].ready_for.store(i, std::memory_order_relaxed);
    }

    std::uint32_t capacity() const { return static_cast<std::uint32_t>(mask_ + 1); }

    /// False, and nothing kept, when full.
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

    /// The oldest, or nothing when empty.
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

    /// Whether try_push() would now fail. For the only thread that pushes, false stays false until it does.
    bool full() const {
        const std::uint64_t position = push_.next.load(std::memory_order_relaxed);
        return cells_[position & mask_].ahead_of(position) < 0;
    }
    /// Whether try_pop() would now fail. For the only thread that pops, false stays false until it does.
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

    /// Of one end, on a cache line of its own.
    struct alignas(cache_line_bytes) Position {
        std::atomic<std::uint64_t> next{0};
        std::byte unused[cache_line_bytes - sizeof(std::uint64_t)];
    };

    std::unique_ptr<Cell[]> cells_;
    std::uint64_t mask_;
    Position push_, pop_;
};

}  // namespace ringpost
