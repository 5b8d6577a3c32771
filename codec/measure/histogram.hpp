#pragma once

// A histogram of durations from 1 ns to a minute with a precision of three significant decimal digits.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/time.hpp>
#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// The layout of HdrHistogram (Tene, hdrhistogram.org): 2048 buckets of 1 ns, then for each further power of two 1024
/// buckets of twice the width, so a bucket is never wider than a thousandth of its values. It has 27,648 counts of 64
/// bits (216 KiB), which are reserved in the constructor and take up memory with use. Not thread-safe: record into one
/// histogram per thread, then merge().
class Histogram {
  public:
    /// The longest duration that is recorded with full precision: 60 s, in nanoseconds.
    static constexpr Duration trackable_ns_max = 60 * second;

    /// Exact values kept in addition to the counts: number of durations, number of saturated ones, the shortest
    /// (UINT64_MAX if there is none) and the longest, and their 128-bit sum, in nanoseconds.
    struct Totals {
        std::uint64_t count = 0;
        std::uint64_t saturated = 0;
        std::uint64_t min = UINT64_MAX;
        std::uint64_t max = 0;
        std::uint64_t sum_low = 0;  // no run is long enough to overflow the sum
        std::uint64_t sum_high = 0;

        void add(const Totals& other);
        bool operator==(const Totals&) const = default;
    };

    Histogram() : counts_(bucket_count()) {}
    Histogram(const Histogram& other);
    Histogram& operator=(const Histogram& other);
    Histogram(Histogram&&) noexcept = default;
    Histogram& operator=(Histogram&&) noexcept = default;
    ~Histogram() = default;
    /// Restores a histogram from its bucket_counts() and totals(). If both are sums over several histograms, per bucket
    /// and with add(), the result equals merging them. `counts` must have the full size and add up to `totals.count`.
    Histogram(std::span<const std::uint64_t> counts, const Totals& totals);

    /// Records one duration. A negative duration (after a clock step) counts as zero. One above trackable_ns_max is
    /// counted in the top bucket and in saturated(); min, max and mean use its actual value.
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

    /// record() of each duration value_of(0), value_of(1), ...
    template <class F>
    void record_each(std::size_t count, F&& value_of) {
        Totals recorded;  // of this call, which the compiler keeps in registers
        recorded.count = count;
        for (std::size_t i = 0; i < count; ++i) {
            const auto value = static_cast<std::uint64_t>(std::max<Duration>(value_of(i), 0));
            const std::uint64_t tracked = std::min<std::uint64_t>(value, trackable_ns_max);
            ++counts_[index_of(tracked)];
            recorded.saturated += tracked != value;
            recorded.min = std::min(recorded.min, value);
            recorded.max = std::max(recorded.max, value);
            recorded.sum_low += value;
            recorded.sum_high += recorded.sum_low < value;
        }
        totals_.add(recorded);
    }

    /// Records `times` durations of which only the bucket index is known; `index` must be below index_end. They count
    /// as the bucket's shortest, longest and middle value in min(), max() and mean(). Buckets above that of
    /// trackable_ns_max are treated like such durations in record(). The caller must keep count() below 2^63.
    void record_bucket(std::size_t index, std::uint64_t times);

    /// Number of durations recorded, and how many of them exceeded trackable_ns_max.
    [[nodiscard]] std::uint64_t count() const { return totals_.count; }
    [[nodiscard]] std::uint64_t saturated() const { return totals_.saturated; }

    /// The shortest and the longest duration, exact, in nanoseconds; 0 if there is none.
    [[nodiscard]] Duration min() const { return totals_.count == 0 ? 0 : static_cast<Duration>(totals_.min); }
    [[nodiscard]] Duration max() const { return static_cast<Duration>(totals_.max); }

    /// The mean in nanoseconds, computed from the exact sum; 0 if nothing was recorded.
    [[nodiscard]] double mean() const;

    /// The duration in nanoseconds that `percent` of the recorded ones do not exceed, rounded up to the highest value
    /// of its bucket and capped at max(). `percent` is clamped to 0 to 100; percentile(0) is min(), percentile(100) is
    /// max(). A percentile in the top bucket is max() if any duration saturated. Returns 0 if nothing was recorded.
    /// Source: getValueAtPercentile of HdrHistogram.
    [[nodiscard]] Duration percentile(double percent) const;

    /// The duration in nanoseconds at a rank from 1, the shortest, to count(), rounded as in percentile().
    [[nodiscard]] Duration at_rank(std::uint64_t rank) const;

    /// Adds all durations of `other`.
    void merge(const Histogram& other);

    /// Clears the histogram.
    void reset();

    /// Calls f(Duration lowest, Duration highest, std::uint64_t count) for every non-empty bucket, in ascending order.
    /// The bounds are inclusive, in nanoseconds, and those of the layout: saturated durations lie above the top
    /// bucket's.
    template <class F>
    void for_each_bucket(F&& f) const {
        const Used used = this->used();
        for (std::size_t index = used.begin; index < used.end; ++index) {
            if (counts_[index] != 0) f(lowest_of(index), highest_of(index), counts_[index]);
        }
    }

    /// The counts by bucket index; HdrHistogram calls this the counts array.
    [[nodiscard]] std::span<const std::uint64_t> bucket_counts() const { return {&counts_[0], counts_.size()}; }
    [[nodiscard]] const Totals& totals() const { return totals_; }

    /// The values that a bucket covers, in nanoseconds: the shortest, the longest, and HdrHistogram's
    /// medianEquivalentValue. The layout extends beyond trackable_ns_max, up to index_end.
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
    // A value below 2^11 is its own index. Larger values keep their upper 11 bits, which are between 1024 and 2047, and
    // each bit shifted out adds 1024 to the index.
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

    // Rounded up to whole powers of two, as in HdrHistogram.
    static constexpr std::size_t bucket_count() { return ((top_index() >> half_bits) + 1) << half_bits; }

  public:
    /// One past the index of the longest Duration.
    static constexpr std::size_t index_end =
        (std::size_t{63 - precision_bits} << half_bits) + (std::size_t{1} << precision_bits);

  private:
    /// All buckets but these are empty.
    struct Used {
        std::size_t begin = 0, end = 0;
    };
    Used used() const {
        if (totals_.count == 0) return {};
        constexpr std::uint64_t longest = trackable_ns_max;
        return {index_of(std::min(totals_.min, longest)), index_of(std::min(totals_.max, longest)) + 1};
    }
    void copy_counts(const Histogram& other);

    ZeroedArray<std::uint64_t> counts_;
    Totals totals_;
};

/// percentile() of the recorded durations and `lost` others, of which is known only that they were longer than all of
/// the recorded ones, such as probes without an answer. Nothing if the percentile is one of the lost durations, or if
/// there are neither recorded nor lost ones.
[[nodiscard]] std::optional<Duration> percentile_with_lost(const Histogram& histogram, double percent,
                                                           std::uint64_t lost);

}  // namespace ringpost
