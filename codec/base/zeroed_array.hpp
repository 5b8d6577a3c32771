#pragma once

// Arrays for large tables of which most runs use little. The kernel provides zeroed pages at their first use, so an
// array of any size is made at once, and memory grows with use.

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace ringpost {

/// Zeroed memory with an alignment of up to 64. Without memory it calls the new handler (std::set_new_handler) and
/// tries again; without a handler it aborts.
void* allocate_zeroed(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t));
/// Of allocate_zeroed(bytes).
void free_zeroed(void* at, std::size_t bytes);

/// Owns it.
class ZeroedMemory {
  public:
    explicit ZeroedMemory(std::size_t bytes) : at_(allocate_zeroed(bytes)), bytes_(bytes) {}
    ~ZeroedMemory() {
        if (at_ != nullptr) free_zeroed(at_, bytes_);
    }
    ZeroedMemory(ZeroedMemory&& other) noexcept
        : at_(std::exchange(other.at_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    ZeroedMemory& operator=(ZeroedMemory&& other) noexcept {
        std::swap(at_, other.at_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    void* at() const { return at_; }

  private:
    void* at_;
    std::size_t bytes_;
};

/// A fixed number of items, at first with all bytes zero, which must be a valid T. Not thread-safe.
template <class T>
class ZeroedArray {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= alignof(std::max_align_t));

  public:
    explicit ZeroedArray(std::size_t size) : memory_(size * sizeof(T)), size_(size) {}

    T& operator[](std::size_t index) { return static_cast<T*>(memory_.at())[index]; }
    const T& operator[](std::size_t index) const { return static_cast<const T*>(memory_.at())[index]; }
    std::size_t size() const { return size_; }

  private:
    ZeroedMemory memory_;
    std::size_t size_;
};

/// For a std::vector that reserves all its memory at once and fills it little by little. As allocate_zeroed().
template <class T>
struct ReservingAllocator {
    static_assert(alignof(T) <= 64);
    using value_type = T;

    T* allocate(std::size_t count) { return static_cast<T*>(allocate_zeroed(count * sizeof(T), alignof(T))); }
    void deallocate(T* at, std::size_t count) noexcept { free_zeroed(at, count * sizeof(T)); }
    bool operator==(const ReservingAllocator&) const = default;
};
template <class T>
using ReservedVector = std::vector<T, ReservingAllocator<T>>;

/// A fixed number of indices into another array, at first all `none`. Not thread-safe.
class IndexArray {
  public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    explicit IndexArray(std::size_t size) : complements_(size) {}

    std::uint32_t operator[](std::size_t at) const { return ~complements_[at]; }
    void set(std::size_t at, std::uint32_t index) { complements_[at] = ~index; }
    std::size_t size() const { return complements_.size(); }

  private:
    ZeroedArray<std::uint32_t> complements_;
};

}  // namespace ringpost
