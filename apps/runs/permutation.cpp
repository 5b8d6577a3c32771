#include "apps/runs/permutation.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace ringpost::apps {
namespace {

/// More divisions than this are sampled.
constexpr int divisions_max = 10'000;

/// Relative errors of sums below this do not count as differences.
constexpr double rounding = 1e-9;

/// Which runs belong to the second group.
using Division = std::vector<bool>;

double divisions_of(std::size_t all, std::size_t group) {
    double count = 1;
    for (std::size_t i = 1; i <= group; ++i) count *= static_cast<double>(all - group + i) / static_cast<double>(i);
    return count;
}

struct Group {
    double count = 0, mean = 0, squares = 0;  ///< the sum of squared distances from the mean (Welford)

    void add(double value) {
        const double before = value - mean;
        mean += before / ++count;
        squares += before * (value - mean);
    }
};

/// How much worse the second group is by a measure. Equal values within both groups are as far apart as any can be, but
/// not infinitely.
double score_of(std::size_t measure, const std::vector<Measures>& runs, const Division& in_second, double tolerance) {
    Group all, groups[2];
    for (std::size_t i = 0; i < runs.size(); ++i) {
        all.add(runs[i][measure]);
        groups[in_second[i] ? 1 : 0].add(runs[i][measure]);
    }
    const double deviation = std::sqrt((groups[0].squares + groups[1].squares) / (all.count - 2));
    const double difference = groups[1].mean - groups[0].mean;
    if (std::abs(difference) <= rounding * std::abs(all.mean)) return 0;
    return (more_is_worse(measure) ? difference : -difference) /
           (deviation + std::max(tolerance, rounding) * std::abs(all.mean));
}

Measures scores_of(const std::vector<Measures>& runs, const Division& in_second, double tolerance) {
    Measures scores{};
    for (std::size_t i = 0; i < measures; ++i) scores[i] = score_of(i, runs, in_second, tolerance);
    return scores;
}

/// Calls use(division) for every division, or for the actual one and sampled ones.
template <class Use>
void for_each_division(std::size_t first, std::size_t second, std::uint64_t seed, const Use& use) {
    Division division(first, false);
    division.resize(first + second, true);
    if (divisions_of(first + second, second) <= divisions_max) {
        do use(division);
        while (std::next_permutation(division.begin(), division.end()));
        return;
    }
    use(division);
    std::mt19937_64 random(seed);
    for (int i = 1; i < divisions_max; ++i) {
        for (std::size_t end = division.size(); end > 1; --end) {
            const std::size_t other = (random() >> 32) * end >> 32;
            const bool last = division[end - 1];
            division[end - 1] = division[other];
            division[other] = last;
        }
        use(division);
    }
}

}  // namespace

Measures chances(const std::vector<Measures>& first, const std::vector<Measures>& second, double tolerance,
                 std::uint64_t seed) {
    std::vector<Measures> runs = first;
    runs.insert(runs.end(), second.begin(), second.end());
    Division actual(first.size(), false);
    actual.resize(runs.size(), true);
    const Measures found = scores_of(runs, actual, tolerance);
    Measures reached{};
    double divisions = 0;
    for_each_division(first.size(), second.size(), seed, [&](const Division& division) {
        const Measures scores = scores_of(runs, division, tolerance);
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
