#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"

namespace ringpost {

/// A lock-free free list of the indices first to first + count - 1, last in, first out. Thread-safe. give() never
/// fails.
///
/// Source: Treiber, "Systems programming: coping with parallelism" (1986): a linked stack whose head is replaced by
/// compare-and-exchange. The upper half of the head counts its changes, which prevents the ABA problem. Every change of
/// the head is a read-modify-write, so take() synchronizes with the give() of the same index (a release sequence).
class FreeList {
  public:
    FreeList(std::uint32_t first, std::uint32_t count) : first_(first), below_(new std::atomic<std::uint32_t>[count]) {
        for (std::uint32_t i = count; i > 0; --i) give(first + i - 1);
    }

    /// Nullopt if all are in use.
    std::optional<std::uint32_t> take() {
        std::uint64_t head = head_.load(std::memory_order_acquire);
        while (top(head) != none) {
            const std::uint32_t below = below_[top(head)].load(std::memory_order_relaxed);
            if (head_.compare_exchange_weak(head, next(head, below), std::memory_order_acq_rel,
                                            std::memory_order_acquire))
                return first_ + top(head);
        }
        return std::nullopt;
    }

    /// Returns an index from take(). The caller must not use it afterwards.
    void give(std::uint32_t number) {
        const std::uint32_t place = number - first_;
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        do {
            below_[place].store(top(head), std::memory_order_relaxed);
        } while (!head_.compare_exchange_weak(head, next(head, place), std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
    }

  private:
    static constexpr std::uint32_t none = UINT32_MAX;

    static std::uint32_t top(std::uint64_t head) { return static_cast<std::uint32_t>(head); }
    static std::uint64_t next(std::uint64_t head, std::uint32_t place) { return ((head >> 32) + 1) << 32 | place; }

    std::uint32_t first_;
    std::unique_ptr<std::atomic<std::uint32_t>[]> below_;  // the next entry of the stack, by index
    std::atomic<std::uint64_t> head_{none};
};

/// Payload blocks for passing data between threads: many small blocks, and a few large enough for any datagram.
/// Thread-safe. Allocated at construction, but not touched before use.
class BlockPool {
  public:
    using Block = std::uint32_t;

    static constexpr std::size_t small_bytes = 2'048;
    static constexpr std::size_t large_bytes = 65'536;
    static_assert(large_bytes >= limits::datagram_bytes_max);

    BlockPool(std::uint32_t small_count, std::uint32_t large_count)
        : small_count_(small_count),
          memory_(new std::byte[small_count * small_bytes + large_count * large_bytes]),
          small_(0, small_count),
          large_(small_count, large_count) {}

    /// Returns a block of at least `bytes` (at most large_bytes, checked); nullopt if none is free.
    std::optional<Block> take(std::size_t bytes) {
        RINGPOST_CHECK(bytes <= large_bytes);
        if (bytes <= small_bytes)
            if (const auto block = small_.take()) return block;
        return large_.take();
    }
    void give(Block block) { (is_small(block) ? small_ : large_).give(block); }

    /// The memory of a block from take(); valid until give().
    std::span<std::byte> memory(Block block) {
        if (is_small(block)) return {&memory_[block * small_bytes], small_bytes};
        return {&memory_[small_count_ * small_bytes + (block - small_count_) * large_bytes], large_bytes};
    }

  private:
    bool is_small(Block block) const { return block < small_count_; }

    std::size_t small_count_;
    std::unique_ptr<std::byte[]> memory_;
    FreeList small_, large_;
};

}  // namespace ringpost
