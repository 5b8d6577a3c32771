#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/base/zeroed_array.hpp"

namespace ringpost::native {

/// Memory for what a channel has received and cannot deliver yet. Blocks are allocated in a ring, in order of arrival,
/// and the ring's end follows when the oldest ones are free. As a channel delivers in order, a block that is held up
/// holds up no more than one window behind it, so four windows always suffice.
class Arena {
  public:
    /// A block: its place in units. Memory that was never used is not touched.
    using Block = std::uint32_t;
    static constexpr std::size_t unit = 8;
    static constexpr Block none = 0xffff'ffff;

    struct Header {
        std::uint32_t units = 0;   ///< of the block with this header
        std::uint32_t live = 0;    ///< messages in it that are not released; 0: free
        std::uint32_t stride = 0;  ///< the owner's, and the next
        std::uint32_t prefix = 0;
    };

    explicit Arena(std::size_t bytes) : memory_(bytes / unit), units_(static_cast<std::uint32_t>(bytes / unit)) {}

    /// A block of `bytes`, whose contents are unspecified, with `live` messages; `none` if there is no place.
    Block allocate(std::size_t bytes, std::uint32_t live) {
        const auto units = static_cast<std::uint32_t>((sizeof(Header) + bytes + unit - 1) / unit);
        if (used_ == 0) begin_ = end_ = 0;
        const bool wrapped = used_ > 0 && end_ <= begin_;
        if (!wrapped && units > units_ - end_) {
            // What is left before the ring's end is skipped as a free block.
            if (units > begin_) return none;
            if (end_ < units_) {
                const std::uint32_t rest = units_ - end_;
                // The header of a rest that is too short for one is implied.
                if (rest >= sizeof(Header) / unit) header(end_) = {rest, 0, 0, 0};
                used_ += rest;
            }
            end_ = 0;
        } else if (wrapped && units > begin_ - end_) {
            return none;
        }
        const Block block = end_;
        header(block) = {units, live, 0, 0};
        end_ += units;
        used_ += units;
        return block;
    }

    /// `count` messages of the block are not needed any more.
    void release(Block block, std::uint32_t count) {
        header(block).live -= count;
        while (used_ > 0) {
            const std::uint32_t rest = units_ - begin_;
            if (rest < sizeof(Header) / unit) {
                used_ -= rest;
                begin_ = 0;
                continue;
            }
            const Header& oldest = header(begin_);
            if (oldest.live > 0) return;
            used_ -= oldest.units;
            begin_ += oldest.units;
            if (begin_ == units_) begin_ = 0;
        }
    }

    Header& header(Block block) { return *reinterpret_cast<Header*>(&memory_[block]); }
    std::byte* bytes(Block block) { return reinterpret_cast<std::byte*>(&memory_[block + sizeof(Header) / unit]); }
    bool empty() const { return used_ == 0; }

  private:
    static_assert(sizeof(Header) % unit == 0);

    ZeroedArray<std::uint64_t> memory_;
    std::uint32_t units_;
    std::uint32_t begin_ = 0, end_ = 0, used_ = 0;
};

}  // namespace ringpost::native
