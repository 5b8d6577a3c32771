#pragma once

// Counters of durations, at three significant decimal digits from 1 ns to a minute.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ringpost/time.hpp>

namespace ringpost {

/// A histogram in the layout of HdrHistogram (Tene, hdrhistogram.org): 2048 buckets of 1 ns, then for every further
/// power of two 1024 buckets twice as wide as those before, so that a bucket is never wider than a thousandth of
/// what it counts. 27,648 counts of 64 bits (216 KiB), allocated by the constructor and never again. Not
/// thread-safe: record in one histogram per thread, then merge().
class Histogram {
  public:
    /// The longest duration that has a bucket of its own precision: 60 s, in nanoseconds.
    static constexpr Duration trackable_ns_max = 60 * second;

    /// What it knows beside its counts, all of it exact: how many durations, how many of them saturated, the shortest
    /// (UINT64_MAX: none) and the longest, and the 128 bits of their sum, in nanoseconds.
    struct Totals {
        std::uint64_t count = 0;
        std::uint64_t saturated = 0;
        std::uint64_t min = UINT64_MAX;
        std::uint64_t max = 0;
        std::uint64_t sum_low = 0;  // no run is long enough to overflow it
        std::uint64_t sum_high = 0;

        void add(const Totals& other);
        bool operator==(const Totals&) const = default;
    };

    Histogram() : counts_(bucket_count()) {}
    /// The one whose bucket_counts() and totals() these are; or, where both are sums of several histograms', bucket by
    /// bucket and by add(), what merging these would make. As many counts as it has; `totals.count` is their sum.
    Histogram(std::span<const std::uint64_t> counts, const Totals& totals);

    /// Counters one duration. One below zero (a clock that stepped back) counts as zero; one above trackable_ns_max
    /// is counted in the top bucket and in saturated(), while min, max and mean still take it as it is.
    void record(Duration value_ns) {
        const auto value = static_cast<std::uint64_t>(std::max<Duration>(value_ns, 0));
        const std::uint64_t tracked = std::min<std::uint64_t>(value, trackable_ns_max);
        ++counts_[index_of(tracked)];
        ++totals_.count;
        totals_.saturated += tracked != value;
        totals_.min = std::min(totals_.min, value);
        totals_.max = std::max(totals_.max, value);
        totals_.sum_low += value;
        totals_.sum_high += totals_.sum_low < value;
    }

    /// Counters `times` durations of which no more is known than the index of their bucket, below index_end: in min(),
    /// max() and mean() they stand for the shortest, the longest and the middle one that it holds. Buckets above that
    /// of trackable_ns_max are treated as record() treats such durations. The caller sees to it that count() stays
    /// below 2^63.
    void record_bucket(std::size_t index, std::uint64_t times);

    /// Durations recorded, those above trackable_ns_max included; and how many of them were above.
    [[nodiscard]] std::uint64_t count() const { return totals_.count; }
    [[nodiscard]] std::uint64_t saturated() const { return totals_.saturated; }

    /// The shortest and the longest duration recorded, exact, in nanoseconds; 0 if there is none.
    [[nodiscard]] Duration min() const { return totals_.count == 0 ? 0 : static_cast<Duration>(totals_.min); }
    [[nodiscard]] Duration max() const { return static_cast<Duration>(totals_.max); }

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
    [[nodiscard]] std::span<const std::uint64_t> bucket_counts() const { return counts_; }
    [[nodiscard]] const Totals& totals() const { return totals_; }

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
    Totals totals_;
};

}  // namespace ringpost
