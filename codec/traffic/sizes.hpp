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
    backwards,     ///< the end of a range is below its start
    weights,       ///< a weight is 0 or above Sizes::weight_max
    count,         ///< no sizes, or more than limits::load_sizes_max
};

/// The distribution of datagram sizes, in bytes of UDP payload: one size, a range, or a weighted list.
class Sizes {
  public:
    static constexpr std::uint64_t weight_max = 1'000'000;

    struct Weighted {
        std::size_t bytes = 0;
        std::uint64_t weight = 0;  ///< relative to the sum of all weights
        bool operator==(const Weighted&) const = default;
    };

    /// `bytes` must be in [1, limits::datagram_bytes_max].
    static Sizes fixed(std::size_t bytes);
    /// Uniform over all sizes from `first` to `last`, inclusive.
    static std::expected<Sizes, SizesError> range(std::size_t first, std::size_t last);
    /// The order is kept. A size listed twice has the sum of both weights.
    static std::expected<Sizes, SizesError> weighted(std::vector<Weighted> list);
    /// Simple IMIX (RFC 6985 describes such mixes): Ethernet frames of 64, 594 and 1518 bytes in the ratio 7 : 4 : 1.
    /// Without 14 bytes of Ethernet header, 4 of frame check sequence, 20 of IPv4 and 8 of UDP, the payloads are 18,
    /// 548 and 1472 bytes; 18 is raised to 24, the smallest Frame.
    static Sizes imix();

    bool is_fixed() const { return smallest_ == largest_; }
    std::size_t smallest() const { return smallest_; }
    std::size_t largest() const { return largest_; }
    double mean() const;
    /// Empty unless created by weighted() or imix().
    std::span<const Weighted> list() const { return list_; }

    std::size_t draw(SplitMix64& random) const;

    bool operator==(const Sizes&) const = default;

  private:
    Sizes(std::size_t smallest, std::size_t largest) : smallest_(smallest), largest_(largest) {}

    std::size_t smallest_, largest_;
    std::vector<Weighted> list_;
    std::uint64_t weights_ = 0;  ///< the sum of all weights
};

}  // namespace ringpost::traffic
