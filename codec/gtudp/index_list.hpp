#pragma once

#include <cstdint>
#include <memory>

namespace ringpost::gtudp {

/// FIFOs of indices, of which each is in at most one and any can be erased. All operations are O(1). Memory is
/// allocated at construction and not touched before use. Not thread-safe.
class IndexLinks {
  public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    /// One FIFO. The index that was added first is `oldest`, `none` if it is empty.
    struct List {
        std::uint32_t oldest = none, newest = none;
    };

    /// For indices below `capacity`.
    explicit IndexLinks(std::uint32_t capacity) : links_(std::make_unique_for_overwrite<Links[]>(capacity)) {}

    /// `index` must not be in any list.
    void push(List& list, std::uint32_t index) {
        links_[index] = {.older = list.newest, .newer = none};
        (list.newest == none ? list.oldest : links_[list.newest].newer) = index;
        list.newest = index;
    }
    /// `index` must be in this list.
    void erase(List& list, std::uint32_t index) {
        const Links links = links_[index];
        (links.older == none ? list.oldest : links_[links.older].newer) = links.newer;
        (links.newer == none ? list.newest : links_[links.newer].older) = links.older;
    }

  private:
    struct Links {
        std::uint32_t older, newer;
    };

    std::unique_ptr<Links[]> links_;
};

/// A single one, with its size.
class IndexList {
  public:
    /// For indices below `capacity`.
    explicit IndexList(std::uint32_t capacity) : links_(capacity) {}

    std::uint32_t size() const { return size_; }
    /// The index that was added first. The list must not be empty.
    std::uint32_t front() const { return list_.oldest; }

    /// `index` must not be in the list.
    void push(std::uint32_t index) {
        links_.push(list_, index);
        ++size_;
    }
    /// `index` must be in the list.
    void erase(std::uint32_t index) {
        links_.erase(list_, index);
        --size_;
    }

  private:
    IndexLinks links_;
    IndexLinks::List list_;
    std::uint32_t size_ = 0;
};

}  // namespace ringpost::gtudp
