#pragma once

// Confidence intervals for the difference between two sides, each of one or more runs: the runs of a side and the
// intervals of each run are resampled with replacement, and the difference is computed for each resample (Efron's
// bootstrap, in two stages).

#include <array>
#include <cstdint>
#include <vector>

#include "apps/runs/reader.hpp"

namespace ringpost::apps {

/// What runs are compared by.
enum Measure : std::size_t { rate_per_s, loss, p50_us, p99_us, p999_us, measures };
using Measures = std::array<double, measures>;
constexpr bool more_is_worse(std::size_t measure) { return measure != rate_per_s; }

/// A run divided into blocks of equal weight for resampling: its intervals, or groups of neighbouring ones so that
/// there are at most blocks_max. Grouping also keeps the effects of one disturbance together.
struct RunBlocks {
    static constexpr std::size_t blocks_max = 100;

    std::vector<double> length_s, sent, lost;  ///< for each block
    std::vector<double> value_us;              ///< the upper bound of each non-empty bucket of the first histogram
    std::vector<std::vector<double>> counts;   ///< for each block, the counts of those buckets
    /// What a percentile is at least that falls among the lost ones, which count as longer than any other. 0 if the
    /// histogram is not that of the responses to what was sent.
    double timeout_us = 0;
    /// Of what was sent, the share that intervals do not know of and that is loss: what the far end of a load has not
    /// received, and wrong answers.
    double missing_share = 0;
};
RunBlocks blocks_of(const KeptRun& run);

/// The measures of a run in which block i occurs times[i] times.
Measures measures_of(const RunBlocks& blocks, const std::vector<double>& times);

/// The measures of the whole run.
Measures measures_of(const RunBlocks& blocks);

/// Whether a percentile of the run falls among the lost ones, so that its measure is only a lower bound.
bool is_beyond_timeout(const RunBlocks& blocks, std::size_t measure);

/// The change from the first side to the second, of the means over their runs: (second - first) / first, or for loss
/// the plain difference. `low` to `high` is its 95 % interval.
struct Change {
    double first = 0, second = 0, change = 0, low = 0, high = 0;
};
std::array<Change, measures> changes(const std::vector<RunBlocks>& first, const std::vector<RunBlocks>& second,
                                     std::uint64_t seed);

/// Resamples per call of changes().
inline constexpr std::size_t resamples = 1'000;

}  // namespace ringpost::apps
