#pragma once

// Counts of durations, at three significant decimal digits from 1 ns to a minute.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/base/instant.hpp"

namespace ringpost {

/// A histogram in the layout of HdrHistogram (Tene, hdrhistogram.org): 2048 buckets of 1 ns, then for every further
/// power of two 1024 buckets twice as wide as those before, so that a bucket is never wider than a thousandth of
/// what it counts. 27,648 counts of 64 bits (216 KiB), allocated by the constructor and never again. Not
/// thread-safe: record in one histogram per thread, then merge().
class Histogram {
  public:
    /// The longest duration that has a bucket of its own precision: 60 s, in nanoseconds.
    static constexpr Duration trackable_ns_max = 60 * second;

    Histogram() : counts_(bucket_count()) {}

    /// Counts one duration. One below zero (a clock that stepped back) counts as zero; one above trackable_ns_max
    /// is counted in the top bucket and in saturated(), while min, max and mean still take it as it is.
    void record(Duration value_ns) {
        const auto value = static_cast<std::uint64_t>(std::max<Duration>(value_ns, 0));
        const std::uint64_t tracked = std::min<std::uint64_t>(value, trackable_ns_max);
        ++counts_[index_of(tracked)];
        ++count_;
        saturated_ += tracked != value;
        min_ = std::min(min_, value);
        max_ = std::max(max_, value);
        sum_low_ += value;
        sum_high_ += sum_low_ < value;
    }

    /// Counts `times` durations of which no more is known than the index of their bucket, below index_end: in min(),
    /// max() and mean() they stand for the shortest, the longest and the middle one that it holds. Buckets above that
    /// of trackable_ns_max are treated as record() treats such durations. The caller sees to it that count() stays
    /// below 2^63.
    void record_bucket(std::size_t index, std::uint64_t times);

    /// Durations recorded, those above trackable_ns_max included; and how many of them were above.
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t saturated() const { return saturated_; }

    /// The shortest and the longest duration recorded, exact, in nanoseconds; 0 if there is none.
    [[nodiscard]] Duration min() const { return count_ == 0 ? 0 : static_cast<Duration>(min_); }
    [[nodiscard]] Duration max() const { return static_cast<Duration>(max_); }

    /// The mean in nanoseconds, from the exact sum; 0 if nothing was recorded.
    [[nodiscard]] double mean() const;

    /// The duration, in nanoseconds, that `percent` (0 to 100; clamped) of those recorded do not exceed, rounded up
    /// to the highest one its bucket stands for and capped at max(). percentile(0) is min(), percentile(100) is
    /// max(). The top bucket is open upwards once something saturated: a percentile that falls into it is max(). 0
    /// if nothing was recorded. Source: getValueAtPercentile of HdrHistogram.
    [[nodiscard]] Duration percentile(double percent) const;

    /// Adds everything `other` has counted, as if it had been recorded here.
    void merge(const Histogram& other);

    /// Forgets everything recorded.
    void reset();

    /// Calls f(Duration lowest, Duration highest, std::uint64_t count) for every bucket that counted something,
    /// shortest first. The bounds, in nanoseconds and both inclusive, are those of the layout: saturated durations
    /// lie above the top bucket's.
    template <class F>
    void for_each_bucket(F&& f) const {
        for (std::size_t index = 0; index < counts_.size(); ++index) {
            if (counts_[index] != 0) f(lowest_of(index), highest_of(index), counts_[index]);
        }
    }

    /// The counts by the index of their bucket: what HdrHistogram calls the counts array.
    [[nodiscard]] std::span<const std::uint64_t> counts() const { return counts_; }

    /// The durations that the bucket of an index holds, in nanoseconds: the shortest, the longest, and HdrHistogram's
    /// medianEquivalentValue. The layout goes on above trackable_ns_max, up to index_end.
    static constexpr Duration lowest_of(std::size_t index) {
        const unsigned shift = shift_of(index);
        return static_cast<Duration>((index - (std::size_t{shift} << half_bits)) << shift);
    }
    static constexpr Duration highest_of(std::size_t index) {
        return lowest_of(index) + ((Duration{1} << shift_of(index)) - 1);
    }
    static constexpr Duration middle_of(std::size_t index) {
        return lowest_of(index) + ((Duration{1} << shift_of(index)) >> 1);
    }

  private:
    // A value below 2^11 is its own index. A longer one of w bits keeps its upper 11: they lie between 1024 and
    // 2047, and every bit shifted out moves the index by another 1024.
    static constexpr unsigned precision_bits = 11;
    static constexpr unsigned half_bits = precision_bits - 1;

    static constexpr std::size_t index_of(std::uint64_t value) {
        constexpr std::uint64_t shortest = (1u << precision_bits) - 1;
        const auto shift = static_cast<unsigned>(std::bit_width(value | shortest)) - precision_bits;
        return (std::size_t{shift} << half_bits) + static_cast<std::size_t>(value >> shift);
    }
    static constexpr unsigned shift_of(std::size_t index) {
        return static_cast<unsigned>(std::max<std::size_t>(index >> half_bits, 1) - 1);
    }

    static constexpr std::size_t top_index() { return index_of(trackable_ns_max); }

    // Rounded up to whole powers of two, as HdrHistogram does.
    static constexpr std::size_t bucket_count() { return ((top_index() >> half_bits) + 1) << half_bits; }

  public:
    /// One past the index of the longest Duration.
    static constexpr std::size_t index_end =
        (std::size_t{63 - precision_bits} << half_bits) + (std::size_t{1} << precision_bits);

  private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t saturated_ = 0;
    std::uint64_t min_ = UINT64_MAX;
    std::uint64_t max_ = 0;
    std::uint64_t sum_low_ = 0;  // a 128-bit sum: no run is long enough to overflow it
    std::uint64_t sum_high_ = 0;
};

}  // namespace ringpost
