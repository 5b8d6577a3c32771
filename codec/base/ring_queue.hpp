#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "codec/base/check.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// A FIFO of fixed capacity, allocated at construction and not touched before use. Not thread-safe.
template <class T>
class RingQueue {
  public:
    /// `capacity` must be a power of two.
    explicit RingQueue(std::uint32_t capacity) : items_(capacity), mask_(capacity - 1) {
        RINGPOST_CHECK(std::has_single_bit(capacity));
    }

    bool empty() const { return first_ == end_; }
    std::uint32_t size() const { return end_ - first_; }
    bool full() const { return size() == mask_ + 1; }

    /// Returns false if the queue is full.
    bool push(const T& item) {
        if (full()) return false;
        items_[end_++ & mask_] = item;
        return true;
    }
    /// The oldest and the newest item. The queue must not be empty, also for pop().
    const T& front() const { return items_[first_ & mask_]; }
    T& front() { return items_[first_ & mask_]; }
    T& back() { return items_[(end_ - 1) & mask_]; }
    void pop() { ++first_; }

  private:
    ZeroedArray<T> items_;
    std::uint32_t mask_;
    std::uint32_t first_ = 0, end_ = 0;  // free-running; their difference is the size
};

}  // namespace ringpost
