#pragma once

// Whether one group of runs is worse than another, or whether the runs only differ as runs of the same kind do.

#include <cstdint>
#include <vector>

#include "apps/runs/bootstrap.hpp"

namespace ringpost::apps {

/// The fewest runs a side that can be judged: two groups of three can be divided in 20 ways, so the chance that the
/// actual one is the most extreme is 5 %.
inline constexpr std::size_t judged_runs_min = 3;
/// The chance of a false alarm that is accepted, for all measures together.
inline constexpr double false_alarms_max = 0.05;

/// For each measure, the chance that runs which do not differ in kind look at least as much worse by it: a permutation
/// test with the single-step maxT correction for several measures (Westfall and Young, 1993). The runs are divided
/// anew into groups of these sizes, in every way or, if there are too many, in `seed`ed random ones. A measure's score
/// is the difference of the groups' means, divided by the standard deviation within the groups plus `tolerance` times
/// the mean, so that stable but irrelevant differences score low. The chance is the share of divisions whose highest
/// score of all measures reaches that of this measure. It makes no assumption on how runs vary, only that their order
/// does not matter. Neither group may be empty; together they have at least three runs.
Measures chances(const std::vector<Measures>& first, const std::vector<Measures>& second, double tolerance,
                 std::uint64_t seed);

}  // namespace ringpost::apps
