#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "codec/base/split_mix.hpp"

namespace ringpost::traffic {

enum class SizesError : std::uint8_t {
    out_of_range,  ///< a size is 0 or above limits::datagram_bytes_max
    backwards,     ///< a range ends before it begins
    weights,       ///< a weight is 0 or above Sizes::weight_max
    count,         ///< no size, or more than limits::load_sizes_max
};

/// What sizes an open loop's datagrams have, in bytes of UDP payload: all the same, any of a range, or some of a list.
class Sizes {
  public:
    static constexpr std::uint64_t weight_max = 1'000'000;

    struct Weighted {
        std::size_t bytes = 0;
        std::uint64_t weight = 0;  ///< it comes so often among the sum of all weights
        bool operator==(const Weighted&) const = default;
    };

    /// `bytes` in [1, limits::datagram_bytes_max] (checked).
    static Sizes fixed(std::size_t bytes);
    /// Every whole number from `first` to `last` alike, both included.
    static std::expected<Sizes, SizesError> range(std::size_t first, std::size_t last);
    /// In the order given; a size that is there twice has both weights.
    static std::expected<Sizes, SizesError> weighted(std::vector<Weighted> list);
    /// The simple IMIX of network testers (RFC 6985 tells of such mixes): 7 : 4 : 1 Ethernet frames of 64, 594 and 1518
    /// bytes. Less 14 of Ethernet, 4 of its check sequence, 20 of IPv4 and 8 of UDP that is 18, 548 and 1472 of
    /// payload; of which 18 is too short for a Frame and is 24 here.
    static Sizes imix();

    bool is_fixed() const { return smallest_ == largest_; }
    std::size_t smallest() const { return smallest_; }
    std::size_t largest() const { return largest_; }
    double mean() const;
    /// Empty unless made by weighted() or imix().
    std::span<const Weighted> list() const { return list_; }

    std::size_t draw(SplitMix64& random) const;

    bool operator==(const Sizes&) const = default;

  private:
    Sizes(std::size_t smallest, std::size_t largest) : smallest_(smallest), largest_(largest) {}

    std::size_t smallest_, largest_;
    std::vector<Weighted> list_;
    std::uint64_t weights_ = 0;  ///< their sum
};

}  // namespace ringpost::traffic
