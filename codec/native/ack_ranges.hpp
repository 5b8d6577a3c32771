#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/native/limits.hpp"
#include "codec/recovery/ranges.hpp"

namespace ringpost::native {

/// The packet numbers received, as the newest limits::native_ranges_kept_max ranges; older ones are forgotten, and so
/// not acknowledged again. Adding a number that continues the newest range, which is the usual case, is a comparison.
class AckRanges {
  public:
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }
    /// The highest number; only if there is one.
    std::uint64_t largest() const { return ranges_[end_ - 1].last; }

    /// Adds a number that is not contained. Numbers below all kept ranges are ignored when there is no place for more.
    void add(std::uint64_t number) {
        if (empty() || number > ranges_[end_ - 1].last + 1) return append(number);
        if (number == ranges_[end_ - 1].last + 1) {
            ranges_[end_ - 1].last = number;
            return;
        }
        add_below(number);
    }

    /// Forgets the ranges up to `number`, and the part of the one it is in.
    void forget_up_to(std::uint64_t number) {
        while (!empty() && ranges_[begin_].last <= number) ++begin_;
        if (!empty()) ranges_[begin_].first = std::max(ranges_[begin_].first, number + 1);
    }

    /// Copies ranges from the newest to the oldest to `out`, as many as it holds, and returns their count.
    std::size_t newest(std::span<recovery::PacketRange> out) const {
        const std::size_t count = std::min(out.size(), size());
        for (std::size_t i = 0; i < count; ++i) out[i] = ranges_[end_ - 1 - i];
        return count;
    }

  private:
    void append(std::uint64_t number);
    void add_below(std::uint64_t number);

    std::size_t begin_ = 0, end_ = 0;
    // From the oldest to the newest. Twice the capacity, so that the newest are moved to the front only now and then.
    std::array<recovery::PacketRange, 2 * limits::native_ranges_kept_max> ranges_;
};

}  // namespace ringpost::native
