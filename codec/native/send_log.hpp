#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <ringpost/native/integer.hpp>
#include <ringpost/native/types.hpp>
#include "codec/base/check.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost::native {

/// The messages of one channel that the peer does not have yet, as on the wire: each with its length in front, in a
/// ring of bytes. The application's append is the only copy until a packet is built; what is sent again is read here
/// again.
///
/// One thread appends, and one (the engine's) reads and frees, without locks. Positions count bytes from the first one
/// ever appended. Each cursor has one writer and a cache line of its own:
///
///     una <= sent <= head <= una + capacity      [una, sent): sent, not all acknowledged; [sent, head): not sent yet
class SendLog {
  public:
    /// `capacity`: bytes, a power of two.
    explicit SendLog(std::size_t capacity) : memory_(capacity), mask_(capacity - 1) {
        RINGPOST_CHECK(std::has_single_bit(capacity));
    }
    SendLog(const SendLog&) = delete;
    SendLog& operator=(const SendLog&) = delete;

    std::size_t capacity() const { return mask_ + 1; }
    /// Bytes that a message takes.
    static std::size_t bytes_of(std::size_t message_bytes) { return integer_bytes(message_bytes) + message_bytes; }

    // The appending thread.

    /// Appends a copy of `message`. Returns false if there is no space for it now.
    bool append(std::span<const std::byte> message) {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::size_t bytes = bytes_of(message.size());
        if (!has_space(head, bytes)) return false;
        reserved_ = 0;
        write(head, message);
        head_.store(head + bytes, std::memory_order_release);
        return true;
    }
    /// Appends as many of `count` messages of `message_bytes` each, which lie one after another, as there is space for,
    /// and returns their number. They become visible together.
    std::size_t append_many(const std::byte* messages, std::size_t message_bytes, std::size_t count) {
        const std::uint64_t begin = head_.load(std::memory_order_relaxed);
        const std::size_t bytes = bytes_of(message_bytes);
        std::uint64_t head = begin;
        std::size_t done = 0;
        reserved_ = 0;
        for (; done < count && has_space(head, bytes); ++done, head += bytes)
            write(head, {messages + done * message_bytes, message_bytes});
        head_.store(head, std::memory_order_release);
        return done;
    }
    /// Space for messages of `message_bytes` each, to be written in place: for as many of `count` as lie in one piece,
    /// which at the end of the ring may be none although append() would find space. Valid until the next append.
    Reserved reserve(std::size_t message_bytes, std::size_t count) {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::size_t at = head & mask_, stride = bytes_of(message_bytes);
        if (!has_space(head, count * stride)) count = (capacity() - (head - una_seen_)) / stride;
        reserved_ = std::min(count, (capacity() - at) / stride);
        reserved_bytes_ = message_bytes;
        return {&memory_[at] + integer_bytes(message_bytes), stride, reserved_};
    }
    /// Appends the first `count` of those that were reserved, which are all that may be.
    void commit(std::size_t count) {
        RINGPOST_CHECK(count <= reserved_);
        reserved_ = 0;
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        std::byte* at = &memory_[head & mask_];
        const std::size_t stride = bytes_of(reserved_bytes_);
        for (std::size_t i = 0; i < count; ++i, at += stride) write_integer(at, reserved_bytes_);
        head_.store(head + count * stride, std::memory_order_release);
    }
    /// Bytes that can be appended at least.
    std::size_t free_bytes() {
        una_seen_ = una_.load(std::memory_order_acquire);
        return capacity() - (head_.load(std::memory_order_relaxed) - una_seen_);
    }

    // The engine's thread.

    std::uint64_t head() const { return head_.load(std::memory_order_acquire); }
    std::uint64_t sent() const { return sent_; }
    std::uint64_t una() const { return una_.load(std::memory_order_relaxed); }
    void set_sent(std::uint64_t sent) { sent_ = sent; }
    /// Frees everything before `una`.
    void free_up_to(std::uint64_t una) { una_.store(una, std::memory_order_release); }

    std::byte operator[](std::uint64_t position) const { return memory_[position & mask_]; }
    /// The bytes from `position` on that lie one after another, up to the end of the ring.
    std::span<const std::byte> contiguous(std::uint64_t position) const {
        const std::size_t at = position & mask_;
        return {&memory_[at], capacity() - at};
    }
    /// The length that stands at `position`, and the bytes it takes itself.
    std::uint32_t length_at(std::uint64_t position, std::uint32_t& prefix) const {
        const std::byte first = (*this)[position];
        prefix = static_cast<std::uint32_t>(integer_bytes_from(first));
        if (prefix == 1) return std::to_integer<std::uint32_t>(first);
        std::byte copied[integer_bytes_max];
        copy(position, {copied, prefix});
        std::uint64_t length = 0;
        read_integer(copied, prefix, length);
        return static_cast<std::uint32_t>(length);
    }
    void copy(std::uint64_t position, std::span<std::byte> out) const {
        if (out.empty()) return;
        const std::size_t at = position & mask_, before_end = std::min(out.size(), capacity() - at);
        std::memcpy(out.data(), &memory_[at], before_end);
        if (before_end < out.size()) std::memcpy(out.data() + before_end, &memory_[0], out.size() - before_end);
    }

  private:
    static constexpr std::size_t cache_line = 64;

    bool has_space(std::uint64_t head, std::size_t bytes) {
        if (head + bytes - una_seen_ <= capacity()) return true;
        una_seen_ = una_.load(std::memory_order_acquire);
        return head + bytes - una_seen_ <= capacity();
    }
    void write(std::uint64_t head, std::span<const std::byte> message) {
        const std::size_t at = head & mask_;
        if (message.size() <= integer_one_byte_max && at + 1 + message.size() <= capacity()) {
            memory_[at] = static_cast<std::byte>(message.size());
            if (!message.empty()) std::memcpy(&memory_[at + 1], message.data(), message.size());
            return;
        }
        std::byte prefix[integer_bytes_max];
        const auto prefix_bytes = static_cast<std::size_t>(write_integer(prefix, message.size()) - prefix);
        put(head, {prefix, prefix_bytes});
        put(head + prefix_bytes, message);
    }
    void put(std::uint64_t position, std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        const std::size_t at = position & mask_, before_end = std::min(bytes.size(), capacity() - at);
        std::memcpy(&memory_[at], bytes.data(), before_end);
        if (before_end < bytes.size()) std::memcpy(&memory_[0], bytes.data() + before_end, bytes.size() - before_end);
    }

    ZeroedArray<std::byte> memory_;
    std::uint64_t mask_;
    alignas(cache_line) std::atomic<std::uint64_t> head_ = 0;
    // The appending thread's.
    std::uint64_t una_seen_ = 0;
    std::size_t reserved_ = 0, reserved_bytes_ = 0;  ///< messages that may be committed, and the bytes of each
    alignas(cache_line) std::atomic<std::uint64_t> una_ = 0;
    alignas(cache_line) std::uint64_t sent_ = 0;
};

}  // namespace ringpost::native
