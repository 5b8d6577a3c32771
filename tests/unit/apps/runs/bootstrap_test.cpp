#include "apps/runs/bootstrap.hpp"

#include <gtest/gtest.h>

namespace ringpost::apps {
namespace {

/// A run of blocks of a second with 1000 probes each, whose answered ones took from 1 to 1000 us times `level`.
RunBlocks even_run(double level, const std::vector<double>& lost) {
    RunBlocks run;
    for (int i = 1; i <= 1'000; ++i) run.value_us.push_back(i * level);
    for (const double gone : lost) {
        run.length_s.push_back(1);
        run.sent.push_back(1'000 + gone);
        run.lost.push_back(gone);
        run.counts.emplace_back(1'000, 1.0);
    }
    run.timeout_us = 1e6;
    return run;
}

TEST(Bootstrap, lost_probes_are_longer_than_any_answered_one) {
    const Measures none = measures_of(even_run(1, {0, 0}));
    EXPECT_EQ(none[p50_us], 500);
    EXPECT_EQ(none[p99_us], 990);
    const RunBlocks lossy = even_run(1, {500, 0});
    const Measures some = measures_of(lossy);  // 2500 probes
    EXPECT_EQ(some[p50_us], 625);
    EXPECT_EQ(some[p99_us], 1e6);
    EXPECT_EQ(some[loss], 0.2);
    EXPECT_FALSE(is_beyond_timeout(lossy, p50_us));
    EXPECT_TRUE(is_beyond_timeout(lossy, p99_us));
    EXPECT_FALSE(is_beyond_timeout(lossy, loss));
    EXPECT_FALSE(is_beyond_timeout(even_run(1, {0}), p999_us));
}

TEST(Bootstrap, losses_of_what_is_not_answered_leave_the_percentiles) {
    RunBlocks slip = even_run(1, {500});
    slip.timeout_us = 0;
    EXPECT_EQ(measures_of(slip)[p99_us], 990);
    EXPECT_FALSE(is_beyond_timeout(slip, p99_us));
}

TEST(Bootstrap, a_side_is_the_mean_of_its_runs_and_its_interval_covers_them) {
    const std::vector<double> no_loss(4, 0.0);
    const std::vector<RunBlocks> first(3, even_run(1, no_loss));
    const std::vector<RunBlocks> second{even_run(1, no_loss), even_run(2, no_loss), even_run(3, no_loss)};
    const Change change = changes(first, second, 1)[p50_us];
    EXPECT_EQ(change.first, 500);
    EXPECT_EQ(change.second, 1'000);
    EXPECT_EQ(change.change, 1);
    EXPECT_LT(change.low, 0.5);
    EXPECT_GT(change.high, 1.5);
    EXPECT_EQ(changes(first, first, 1)[p50_us].low, 0) << "blocks and runs that do not differ";
}

}  // namespace
}  // namespace ringpost::apps
