#include "codec/traffic/rate_search.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace ringpost::traffic {
namespace {

struct Search {
    double found = 0;
    int trials = 0;
};
Search search(const RateSearchOptions& options, const std::function<bool(double)>& passes) {
    RateSearch search(options);
    Search out;
    for (; const auto rate = search.next(); ++out.trials) {
        EXPECT_LT(out.trials, 200) << "the search ends";
        if (out.trials >= 200) break;
        EXPECT_GE(*rate, options.least);
        EXPECT_LE(*rate, options.most);
        search.tried(passes(*rate) ? TrialResult::passed : TrialResult::failed);
    }
    out.found = search.found().value_or(0);
    return out;
}

TEST(RateSearch, finds_the_highest_rate_that_passes) {
    for (const double limit : {1.5, 77.0, 999.0, 1'000.0, 1'001.0, 123'456.0, 8.5e8}) {
        const Search found = search({}, [&](double rate) { return rate <= limit; });
        EXPECT_LE(found.found, limit);
        EXPECT_GT(found.found * 1.021, limit);
        EXPECT_LT(found.trials, 45) << limit;
    }
}

TEST(RateSearch, confirms_its_result_the_configured_number_of_times) {
    for (const int confirmations : {1, 3, 7}) {
        int at_the_limit = 0;
        const Search found = search({.most = 4'000, .confirmations = confirmations},
                                    [&](double rate) { return at_the_limit += rate == 4'000, true; });
        EXPECT_EQ(found.found, 4'000);
        EXPECT_EQ(at_the_limit, 1 + confirmations);
    }
}

TEST(RateSearch, finds_none_if_none_passes) {
    EXPECT_EQ(search({}, [](double) { return false; }).found, 0);
    EXPECT_EQ(search({.first = 10, .least = 6}, [](double rate) { return rate < 5; }).found, 0);
}

TEST(RateSearch, searches_below_a_rate_that_fails_confirmation) {
    int lucky = 1;  // trials above 10,000 pass once
    const Search found =
        search({.first = 8'000}, [&](double rate) { return rate <= 10'000 || (rate < 17'000 && lucky-- > 0); });
    EXPECT_LE(found.found, 10'000);
    EXPECT_GT(found.found, 9'600);
}

// For any results of the trials, the search ends with a rate that passed the required number of times in a row.
TEST(RateSearch, ends_for_any_results) {
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        std::mt19937 random(seed);
        int in_a_row = 0;
        double last = 0;
        RateSearch search({.most = 1e6});
        int trials = 0;
        for (; const auto rate = search.next(); ++trials) {
            ASSERT_LT(trials, 2'000) << "seed " << seed;
            const bool passed = random() % 4 != 0;
            in_a_row = passed ? (*rate == last ? in_a_row + 1 : 1) : 0;
            last = *rate;
            search.tried(passed              ? TrialResult::passed
                         : random() % 2 == 0 ? TrialResult::failed
                                             : TrialResult::cannot_tell);
        }
        if (search.found()) {
            EXPECT_EQ(*search.found(), last) << "seed " << seed;
            EXPECT_GE(in_a_row, 3) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace ringpost::traffic
