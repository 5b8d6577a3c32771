#include "apps/runs/permutation.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace ringpost::apps {
namespace {

/// More divisions than this are sampled.
constexpr int divisions_max = 10'000;

/// Relative errors of sums below this do not count as differences.
constexpr double rounding = 1e-9;

/// 1 for each run that belongs to the second group, else 0.
using Division = std::vector<unsigned char>;

double divisions_of(std::size_t all, std::size_t group) {
    double count = 1;
    for (std::size_t i = 1; i <= group; ++i) count *= static_cast<double>(all - group + i) / static_cast<double>(i);
    return count;
}

/// A measure in every run.
struct RunValues {
    std::vector<double> of_run;
    double mean = 0;
};

std::vector<RunValues> values_of(const std::vector<Measures>& runs) {
    std::vector<RunValues> out(measures);
    for (std::size_t measure = 0; measure < measures; ++measure) {
        for (const Measures& run : runs) out[measure].of_run.push_back(run[measure]);
        for (const double value : out[measure].of_run) out[measure].mean += value / static_cast<double>(runs.size());
    }
    return out;
}

/// How much worse the second group is by a measure. Equal values within both groups are as far apart as any can be, but
/// not infinitely.
double score_of(std::size_t measure, const RunValues& values, const Division& division, double tolerance) {
    double count[2] = {}, mean[2] = {}, squares = 0;
    for (std::size_t i = 0; i < division.size(); ++i) {
        ++count[division[i]];
        mean[division[i]] += values.of_run[i];
    }
    for (std::size_t group = 0; group < 2; ++group) mean[group] /= count[group];
    for (std::size_t i = 0; i < division.size(); ++i) {
        const double distance = values.of_run[i] - mean[division[i]];
        squares += distance * distance;
    }
    const double deviation = std::sqrt(squares / (count[0] + count[1] - 2)), difference = mean[1] - mean[0];
    if (std::abs(difference) <= rounding * std::abs(values.mean)) return 0;
    return (more_is_worse(measure) ? difference : -difference) /
           (deviation + std::max(tolerance, rounding) * std::abs(values.mean));
}

Measures scores_of(const std::vector<RunValues>& values, const Division& division, double tolerance) {
    Measures scores{};
    for (std::size_t i = 0; i < measures; ++i) scores[i] = score_of(i, values[i], division, tolerance);
    return scores;
}

/// Calls use(division) for every division, or for the actual one and sampled ones.
template <class Use>
void for_each_division(std::size_t first, std::size_t second, std::uint64_t seed, const Use& use) {
    Division division(first, 0);
    division.resize(first + second, 1);
    if (divisions_of(first + second, second) <= divisions_max) {
        do use(division);
        while (std::next_permutation(division.begin(), division.end()));
        return;
    }
    use(division);
    std::mt19937_64 random(seed);
    for (int i = 1; i < divisions_max; ++i) {
        for (std::size_t end = division.size(); end > 1; --end) {
            std::swap(division[end - 1], division[(random() >> 32) * end >> 32]);
        }
        use(division);
    }
}

}  // namespace

Measures chances(const std::vector<Measures>& first, const std::vector<Measures>& second, double tolerance,
                 std::uint64_t seed) {
    std::vector<Measures> runs = first;
    runs.insert(runs.end(), second.begin(), second.end());
    const std::vector<RunValues> values = values_of(runs);
    Division actual(first.size(), 0);
    actual.resize(runs.size(), 1);
    const Measures found = scores_of(values, actual, tolerance);
    Measures reached{};
    double divisions = 0;
    for_each_division(first.size(), second.size(), seed, [&](const Division& division) {
        const Measures scores = scores_of(values, division, tolerance);
        const double highest = *std::ranges::max_element(scores);
        ++divisions;
        for (std::size_t i = 0; i < measures; ++i) {
            reached[i] += !(highest < found[i] - rounding * std::abs(found[i]));
        }
    });
    for (double& each : reached) each /= divisions;
    return reached;
}

}  // namespace ringpost::apps
