#include "apps/runs/permutation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ringpost::apps {
namespace {

/// Runs whose figures differ from run to run, partly together, as those of a shared machine do. `level` is how much
/// slower they are than the reference.
struct NoisyRuns {
    double spread;  ///< the standard deviation of the median's logarithm from run to run
    std::mt19937_64 random;

    double normal() {  // std::normal_distribution differs between implementations
        const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
        return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform());
    }
    Measures run(double level) {
        const double common = normal();
        const auto varied = [&](double times) { return std::exp(times * spread * (0.7 * common + 0.7 * normal())); };
        const double heavy = normal() / std::max(std::abs(normal()), 0.3);  // a long tail
        return {5'000 * (1 + 1e-5 * normal()), std::max(0.0, 1e-4 * normal()), 20 * level * varied(1),
                80 * level * varied(2), 300 * level * std::exp(2 * spread * heavy)};
    }
    std::vector<Measures> runs(std::size_t count, double level = 1) {
        std::vector<Measures> out;
        for (std::size_t i = 0; i < count; ++i) out.push_back(run(level));
        return out;
    }
};

/// Whether any measure is found worse.
bool is_alarm(const std::vector<Measures>& first, const std::vector<Measures>& second) {
    const Measures chance = chances(first, second, 0.05, 1);
    return std::ranges::any_of(chance, [](double each) { return each <= false_alarms_max + 1e-9; });
}

double alarms(NoisyRuns noise, std::size_t count, double level, int comparisons) {
    int found = 0;
    for (int i = 0; i < comparisons; ++i) {
        const std::vector<Measures> first = noise.runs(count);
        found += is_alarm(first, noise.runs(count, level));
    }
    return static_cast<double>(found) / comparisons;
}

TEST(Permutation, equal_values_within_both_groups_are_judged_without_a_tolerance) {
    const std::vector<Measures> fast(3, Measures{1'000, 0, 20, 80, 300}), slow(3, Measures{900, 0, 22, 80, 300});
    const Measures chance = chances(fast, slow, 0, 1);
    EXPECT_DOUBLE_EQ(chance[rate_per_s], 1.0 / 20);
    EXPECT_DOUBLE_EQ(chances(slow, fast, 0, 1)[rate_per_s], 1);
}

TEST(Permutation, equal_runs_are_found_worse_in_at_most_5_percent_of_the_comparisons) {
    constexpr int comparisons = 1'000;
    // The share found varies by chance, with this standard deviation around the true one.
    const double deviation = std::sqrt(0.05 * 0.95 / comparisons);
    for (const std::size_t count : {3u, 4u, 5u})
        for (const double spread : {0.02, 0.1, 0.3}) {
            const std::uint64_t seed = 7;
            SCOPED_TRACE(testing::Message() << count << " runs, spread " << spread << ", seed " << seed);
            EXPECT_LE(alarms({spread, std::mt19937_64(seed)}, count, 1, comparisons), 0.05 + 3 * deviation);
        }
}

TEST(Permutation, runs_that_are_worse_beyond_their_spread_are_found) {
    EXPECT_GE(alarms({0.02, std::mt19937_64(8)}, 3, 1.2, 200), 0.7);
    EXPECT_GE(alarms({0.1, std::mt19937_64(9)}, 3, 2, 200), 0.85);
    EXPECT_GE(alarms({0.1, std::mt19937_64(10)}, 5, 2, 100), 0.95);
}

TEST(Permutation, faster_runs_are_not_worse) {
    NoisyRuns noise{0.1, std::mt19937_64(11)};
    for (int i = 0; i < 100; ++i) {
        const Measures chance = chances(noise.runs(4), noise.runs(4, 0.5), 0.05, 1);
        for (const std::size_t measure : {p50_us, p99_us}) EXPECT_GT(chance[measure], 0.5);
    }
}

TEST(Permutation, three_a_side_are_the_fewest_that_can_be_judged) {
    NoisyRuns noise{0.0, std::mt19937_64(1)};
    EXPECT_EQ(chances(noise.runs(3), noise.runs(3, 100), 0.05, 1)[p50_us], 1.0 / 20);
    EXPECT_EQ(chances(noise.runs(2), noise.runs(2, 100), 0.05, 1)[p50_us], 1.0 / 6);
    EXPECT_EQ(chances(noise.runs(3), noise.runs(4, 100), 0.05, 1)[p50_us], 1.0 / 35);
}

TEST(Permutation, identical_runs_have_no_score) {
    const std::vector<Measures> runs(3, Measures{5'000, 0, 20, 80, 300});
    for (const double tolerance : {0.0, 0.05})
        for (const double each : chances(runs, runs, tolerance, 1)) EXPECT_EQ(each, 1);
}

TEST(Permutation, a_stable_but_irrelevant_difference_does_not_hide_a_large_one) {
    std::vector<Measures> first, second;
    for (int i = 0; i < 3; ++i) {
        first.push_back({5'000.001, 0, 20 + 0.1 * i, 80, 300});
        second.push_back({5'000.000, 0, 40 + 0.1 * i, 80, 300});
    }
    const Measures chance = chances(first, second, 0.05, 1);
    EXPECT_EQ(chance[p50_us], 1.0 / 20);
    EXPECT_GT(chance[rate_per_s], 0.05);
}

TEST(Permutation, a_lower_rate_is_worse) {
    NoisyRuns noise{0.02, std::mt19937_64(3)};
    std::vector<Measures> first = noise.runs(3), second = noise.runs(3);
    for (Measures& run : second) run[rate_per_s] /= 10;
    EXPECT_EQ(chances(first, second, 0.05, 1)[rate_per_s], 1.0 / 20);
    EXPECT_GT(chances(second, first, 0.05, 1)[rate_per_s], 0.05);
}

TEST(Permutation, many_runs_are_divided_at_random_and_reproducibly) {
    NoisyRuns noise{0.1, std::mt19937_64(4)};
    const std::vector<Measures> first = noise.runs(12), second = noise.runs(12, 1.05);
    EXPECT_EQ(chances(first, second, 0.05, 1), chances(first, second, 0.05, 1));
    EXPECT_NE(chances(first, second, 0.05, 1), chances(first, second, 0.05, 2));
    EXPECT_TRUE(is_alarm(first, noise.runs(12, 2)));
}

}  // namespace
}  // namespace ringpost::apps
