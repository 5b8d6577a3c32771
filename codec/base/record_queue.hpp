#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <type_traits>

#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// A FIFO of records, each a Header and some bytes, in a ring of memory allocated at construction. Each record is
/// contiguous. A full queue refuses records; it never allocates.
template <class Header>
class RecordQueue {
    static_assert(std::is_trivially_copyable_v<Header> && alignof(Header) <= 8);

  public:
    struct Record {
        Header header;
        std::span<const std::byte> bytes;  ///< valid until the record is popped
    };

    /// `capacity_bytes` is the memory for records. Each uses 8 bytes for its length, plus header and bytes, both
    /// rounded up to 8.
    explicit RecordQueue(std::size_t capacity_bytes) : capacity_(capacity_bytes / 8 * 8), ring_(capacity_) {}

    bool empty() const { return records_ == 0; }
    std::size_t size() const { return records_; }

    /// Whether push() would accept this many bytes.
    bool has_room(std::size_t bytes) const {
        const std::size_t need = record_bytes(bytes);
        if (records_ == 0) return need <= capacity_;
        if (wrapped()) return need <= head_ - tail_;
        return need <= capacity_ - tail_ || need <= head_;
    }

    /// Returns false if there is not enough contiguous space.
    bool push(const Header& header, std::span<const std::byte> bytes) {
        if (!has_room(bytes.size())) return false;
        const std::size_t need = record_bytes(bytes.size());
        if (records_ == 0) head_ = tail_ = 0;
        if (!wrapped() && capacity_ - tail_ < need) {
            wrapped_at_ = tail_;
            tail_ = 0;
        }
        newest_ = tail_;
        std::construct_at(reinterpret_cast<Prefix*>(&ring_[tail_]), bytes.size(), header);
        if (!bytes.empty()) std::memcpy(&ring_[tail_ + prefix_bytes], bytes.data(), bytes.size());
        tail_ += need;
        ++records_;
        return true;
    }

    /// Lengthens the newest record, which must not have been popped. Returns false if there is not enough contiguous
    /// space.
    bool append(std::span<const std::byte> bytes) {
        Prefix& newest = *std::launder(reinterpret_cast<Prefix*>(&ring_[newest_]));
        const std::size_t end = newest_ + record_bytes(newest.bytes + bytes.size());
        if (end > (wrapped() ? head_ : capacity_)) return false;
        if (!bytes.empty()) std::memcpy(&ring_[newest_ + prefix_bytes + newest.bytes], bytes.data(), bytes.size());
        newest.bytes += bytes.size();
        tail_ = end;
        return true;
    }

    /// The oldest record, or nullopt.
    std::optional<Record> front() const {
        if (records_ == 0) return std::nullopt;
        return Record{prefix().header, {&ring_[head_ + prefix_bytes], prefix().bytes}};
    }

    /// Removes the oldest record. The queue must not be empty.
    void pop() {
        const bool was_wrapped = wrapped();
        head_ += record_bytes(prefix().bytes);
        --records_;
        if (was_wrapped && head_ == wrapped_at_) head_ = 0;
    }

  private:
    struct Prefix {
        std::size_t bytes;
        Header header;
    };
    static constexpr std::size_t prefix_bytes = (sizeof(Prefix) + 7) / 8 * 8;

    static std::size_t record_bytes(std::size_t bytes) { return prefix_bytes + (bytes + 7) / 8 * 8; }
    const Prefix& prefix() const { return *std::launder(reinterpret_cast<const Prefix*>(&ring_[head_])); }

    /// Whether the newest records are stored before the oldest, which extend to wrapped_at_.
    bool wrapped() const { return records_ > 0 && tail_ <= head_; }

    std::size_t capacity_;
    ZeroedArray<std::byte> ring_;
    std::size_t head_ = 0, tail_ = 0, wrapped_at_ = 0, records_ = 0;
    std::size_t newest_ = 0;  ///< where the newest record begins
};

}  // namespace ringpost
