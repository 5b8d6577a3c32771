#pragma once

// Arrays for large tables of which most runs use little. The kernel provides zeroed pages at their first use, so an
// array of any size is made at once, and memory grows with use.

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace ringpost {

/// Zeroed memory, aligned to std::max_align_t. Without memory it calls the new handler (std::set_new_handler) and tries
/// again; without a handler it aborts.
class ZeroedMemory {
  public:
    explicit ZeroedMemory(std::size_t bytes);
    ~ZeroedMemory();
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
