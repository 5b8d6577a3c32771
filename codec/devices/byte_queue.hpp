#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace ringpost::devices {

/// Bytes, first-in first-out, all in one piece. Grows as it is filled: whoever appends sees to the bound.
class ByteQueue {
  public:
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }

    /// What is in it, oldest first; valid until the next append().
    std::span<const std::byte> bytes() const { return {memory_.get() + begin_, size()}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(memory_.get()) + begin_, size()}; }

    void append(std::span<const std::byte> bytes) {
        std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
        grow(bytes.size());
    }

    /// Space for `count` bytes behind the last; what was written there is appended by grow(count).
    std::span<std::byte> room(std::size_t count) {
        if (capacity_ - end_ < count) make_room(count);
        return {memory_.get() + end_, count};
    }
    void grow(std::size_t count) { end_ += count; }

    /// Forgets the oldest `count` bytes, of which there are so many.
    void pop(std::size_t count) {
        begin_ += count;
        if (begin_ == end_) begin_ = end_ = 0;
    }

    /// Gives memory back when there is nothing in it.
    void rest() {
        if (empty()) *this = ByteQueue();
    }

  private:
    static constexpr std::size_t bytes_min = 512;

    // What is left moves to the front when that makes a half free, so that each byte moves a bounded number of times.
    void make_room(std::size_t count) {
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
