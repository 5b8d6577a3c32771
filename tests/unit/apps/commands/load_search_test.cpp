#include "apps/commands/load_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace ringpost::apps {
namespace {

// A path that loses above `lossless`, and a sender that achieves at most `sendable`.
struct Path {
    double lossless = 0, sendable = 1e9;
    std::vector<double> tried;
    int spoilt = 0;  ///< so many confirmations fail by chance

    PaceTried operator()(double per_s, bool confirming) {
        tried.push_back(per_s);
        const double achieved = std::min(per_s, sendable);
        const bool chance = confirming && spoilt-- > 0;
        if (achieved > lossless || chance) return {.pace = Pace::lossy, .sent_per_s = achieved};
        return {.pace = achieved < per_s * 0.99 ? Pace::slower : Pace::held, .sent_per_s = achieved};
    }
};

TEST(PaceSearch, finds_the_highest_lossless_rate_from_any_start) {
    for (const double first : {1e3, 3e5, 1e6, 9e6})
        for (const double lossless : {2e4, 1e6, 5.5e6}) {
            Path path{.lossless = lossless, .tried = {}};
            const PaceFound found = search_pace({.first = first, .most = 1e7}, std::ref(path));
            EXPECT_LE(found.per_s, lossless);
            EXPECT_GE(found.per_s, lossless / 1.03);
            EXPECT_EQ(found.above, Pace::lossy);
            EXPECT_FALSE(found.stopped);
            EXPECT_LT(path.tried.size(), 50u);
        }
}

TEST(PaceSearch, ends_upward_where_the_sender_falls_behind) {
    Path path{.lossless = 8e6, .sendable = 3e6, .tried = {}};
    const PaceFound found = search_pace({.first = 5e6, .most = 1e7}, std::ref(path));
    EXPECT_EQ(found.per_s, 3e6) << "what it achieved without loss";
    EXPECT_EQ(found.above, Pace::slower);
    EXPECT_EQ(path.tried, (std::vector<double>{5e6, 3e6}));
}

TEST(PaceSearch, does_not_exceed_the_most) {
    Path path{.lossless = 1e9, .tried = {}};
    const PaceFound found = search_pace({.first = 1e7, .most = 1e7}, std::ref(path));
    EXPECT_EQ(found.per_s, 1e7);
    EXPECT_EQ(found.above, Pace::held);
    EXPECT_EQ(path.tried, (std::vector<double>{1e7, 1e7}));
}

TEST(PaceSearch, goes_lower_when_a_confirmation_fails) {
    Path path{.lossless = 1e6, .tried = {}, .spoilt = 3};
    const PaceFound found = search_pace({.first = 9e5, .most = 1e7}, std::ref(path));
    EXPECT_LT(found.per_s, 1e6 / 1.03 / 1.03);
    EXPECT_GT(found.per_s, 8e5);
}

TEST(PaceSearch, finds_nothing_if_every_rate_loses) {
    Path path{.lossless = 0.5, .tried = {}};
    EXPECT_EQ(search_pace({.first = 1e6, .most = 1e7}, std::ref(path)).per_s, 0);
    Path unlucky{.lossless = 1e6, .tried = {}, .spoilt = 100};
    EXPECT_EQ(search_pace({.first = 1e6, .most = 1e7}, std::ref(unlucky)).per_s, 0);
}

TEST(PaceSearch, a_stopped_trial_ends_it) {
    int trials = 0;
    const PaceFound found =
        search_pace({.first = 1e6, .most = 1e7}, [&](double, bool) { return ++trials, PaceTried{}; });
    EXPECT_TRUE(found.stopped);
    EXPECT_EQ(trials, 1);
}

}  // namespace
}  // namespace ringpost::apps
