#pragma once

#include <cstdint>
#include <memory>

namespace ringpost::gtudp {

/// A FIFO of indices, each at most once, from which any can be erased. All operations are O(1). Memory is allocated at
/// construction and not touched before use. Not thread-safe.
class IndexList {
  public:
    /// For indices below `capacity`.
    explicit IndexList(std::uint32_t capacity) : links_(std::make_unique_for_overwrite<Links[]>(capacity)) {}

    std::uint32_t size() const { return size_; }
    /// The index that was added first. The list must not be empty.
    std::uint32_t front() const { return oldest_; }

    /// `index` must not be in the list.
    void push(std::uint32_t index) {
        links_[index] = {.older = newest_, .newer = none};
        (newest_ == none ? oldest_ : links_[newest_].newer) = index;
        newest_ = index;
        ++size_;
    }
    /// `index` must be in the list.
    void erase(std::uint32_t index) {
        const Links links = links_[index];
        (links.older == none ? oldest_ : links_[links.older].newer) = links.newer;
        (links.newer == none ? newest_ : links_[links.newer].older) = links.older;
        --size_;
    }

  private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct Links {
        std::uint32_t older, newer;
    };

    std::unique_ptr<Links[]> links_;
    std::uint32_t oldest_ = none, newest_ = none, size_ = 0;
};

}  // namespace ringpost::gtudp
