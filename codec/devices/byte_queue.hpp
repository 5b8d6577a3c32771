#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace ringpost::devices {

/// A contiguous FIFO of bytes. It grows as needed; the caller enforces limits.
class ByteQueue {
  public:
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }

    /// The contents, oldest first. Valid until the next append() or reserve().
    std::span<const std::byte> bytes() const { return {memory_.get() + begin_, size()}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(memory_.get()) + begin_, size()}; }

    void append(std::span<const std::byte> bytes) {
        std::memcpy(reserve(bytes.size()).data(), bytes.data(), bytes.size());
        commit(bytes.size());
    }

    /// Returns space for `count` bytes behind the last. commit(count) appends what has been written there.
    std::span<std::byte> reserve(std::size_t count) {
        if (capacity_ - end_ < count) make_space(count);
        return {memory_.get() + end_, count};
    }
    void commit(std::size_t count) { end_ += count; }

    /// Removes the oldest `count` bytes; there must be as many.
    void pop(std::size_t count) {
        begin_ += count;
        if (begin_ == end_) begin_ = end_ = 0;
    }

    /// Frees the memory if the queue is empty.
    void free_if_empty() {
        if (empty()) *this = ByteQueue();
    }

  private:
    static constexpr std::size_t bytes_min = 512;

    // Moves the contents to the front if they use less than half of the memory, so each byte is moved a bounded number
    // of times.
    void make_space(std::size_t count) {
        const std::size_t used = size();
        if (used + count <= capacity_ / 2) {
            std::memmove(memory_.get(), memory_.get() + begin_, used);
        } else {
            const std::size_t capacity = std::max({bytes_min, 2 * capacity_, used + count});
            std::unique_ptr<std::byte[]> memory(new std::byte[capacity]);
            if (used > 0) std::memcpy(memory.get(), memory_.get() + begin_, used);
            memory_ = std::move(memory);
            capacity_ = capacity;
        }
        begin_ = 0;
        end_ = used;
    }

    std::unique_ptr<std::byte[]> memory_;
    std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace ringpost::devices
