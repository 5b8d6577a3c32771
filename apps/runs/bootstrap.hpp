#pragma once

// How sure a difference between two runs is: their seconds are drawn again and again, with replacement, and the
// difference is taken each time (Efron's bootstrap).

#include <array>
#include <cstdint>
#include <vector>

#include "apps/runs/reader.hpp"

namespace ringpost::apps {

/// What two runs are compared by, in this order.
enum Measure : std::size_t { rate_per_s, loss, p50_us, p99_us, p999_us, measures };
using Measures = std::array<double, measures>;

/// A run cut into parts of equal weight in the drawing: its intervals, or as many neighbours together as make it no
/// more than blocks_max, which also keeps what belongs to one disturbance in one part.
struct RunBlocks {
    static constexpr std::size_t blocks_max = 100;

    std::vector<double> length_s, sent, lost;  ///< for each block
    std::vector<double>
        value_us;  ///< for each bucket of the first histogram that counted something, the longest it holds
    std::vector<std::vector<double>> counts;  ///< for each block, how many in each of those buckets
};
RunBlocks blocks_of(const KeptRun& run);

/// The measures of a run in which block i came times[i] times.
Measures measures_of(const RunBlocks& blocks, const std::vector<double>& times);

/// From the first run to the second: (second - first) / first, or for loss the plain difference. `low` to `high` holds
/// it with 95 %.
struct Change {
    double first = 0, second = 0, change = 0, low = 0, high = 0;
};
std::array<Change, measures> changes(const RunBlocks& first, const RunBlocks& second, std::uint64_t seed);

/// Drawings that changes() makes.
inline constexpr std::size_t resamples = 1'000;

}  // namespace ringpost::apps
