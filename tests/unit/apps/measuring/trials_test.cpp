// Searches over trials whose outcome is known.

#include "apps/measuring/trials.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <sstream>

#include "apps/cli/failure.hpp"

namespace ringpost::apps {
namespace {

/// A trial of `rate` for `duration`, as a punctual sender and a perfect peer report it.
Json perfect(const TrialRequest& request) {
    const auto sent =
        static_cast<std::uint64_t>(*request.rate * static_cast<double>(request.duration.value_or(second)) / 1e9);
    Json times, none;
    for (const char* name : {"min", "p50", "p90", "p95", "p99", "p999", "p9999", "max"})
        times[name] = 50.0, none[name] = 0.0;
    return {{"sent", sent},      {"due", sent},
            {"unsent", 0},       {"received", sent},
            {"lost", 0},         {"valid", true},
            {"rtt_us", times},   {"lateness_us", none},
            {"slip_us", none},   {"rate_per_s", *request.rate},
            {"backend", "uring"}};
}

struct Found {
    int exit_code = 0;
    Json summary;
    std::vector<Json> trials;
};

Found search(const TrialOptions& options, const Trial& trial) {
    Report report(Report::Form::silent);
    std::stringstream events;
    report.copy_events(&events);
    Found out{.exit_code = run_trials(report, options, trial), .summary = {}, .trials = {}};
    for (std::string line; std::getline(events, line);) {
        Json event = Json::parse(line);
        if (event["event"] == "trial")
            out.trials.push_back(event);
        else
            out.summary = event;
    }
    return out;
}

/// Loses what exceeds its capacity.
Json limited(const TrialRequest& request, double capacity) {
    Json summary = perfect(request);
    if (*request.rate > capacity) {
        const auto sent = summary["sent"].get<double>();
        const auto lost = static_cast<std::uint64_t>(std::ceil(sent * (1 - capacity / *request.rate)));
        summary["lost"] = lost;
        summary["received"] = static_cast<std::uint64_t>(sent) - lost;
    }
    return summary;
}

TEST(FindMax, finds_the_capacity_of_the_peer) {
    for (const double capacity : {30.0, 1'234.0, 112'000.0, 3e6}) {
        const Found found = search({.find_max = true, .loss_max = 0.001, .duration = 300 * millisecond},
                                   [&](const TrialRequest& request) { return limited(request, capacity); });
        EXPECT_EQ(found.exit_code, Exit::done);
        EXPECT_NEAR(found.summary["found_per_s"].get<double>(), capacity, capacity * 0.03);
        EXPECT_EQ(found.summary["above"], "loss");
    }
}

TEST(FindMax, a_late_sender_that_reaches_its_rate_does_not_fail_a_trial) {
    const Found found =
        search({.find_max = true, .loss_max = 0.001, .p99_max = 500 * microsecond}, [](const TrialRequest& request) {
            Json summary = limited(request, 100'000);
            summary.update({{"valid", false}, {"invalid_reason", "late"}});
            for (const char* name : {"p90", "p99", "p999"})
                summary["rtt_us"][name] = 400, summary["lateness_us"][name] = 350;
            return summary;
        });
    EXPECT_EQ(found.exit_code, Exit::done);
    EXPECT_NEAR(found.summary["found_per_s"].get<double>(), 100'000, 3'000);
}

TEST(FindMax, reports_a_lower_bound_where_the_sender_is_the_limit) {
    for (const double unsent_share : {0.07, 0.0}) {
        const Found found = search({.find_max = true, .p99_max = 500 * microsecond}, [&](const TrialRequest& request) {
            Json summary = perfect(request);
            if (*request.rate <= 350'000) return summary;
            summary["unsent"] = static_cast<std::uint64_t>(summary["due"].get<double>() * unsent_share);
            if (unsent_share == 0) summary["rtt_us"]["p99"] = 900.0, summary["lateness_us"]["p99"] = 850.0;
            return summary;
        });
        EXPECT_EQ(found.exit_code, Exit::done);
        EXPECT_NEAR(found.summary["found_per_s"].get<double>(), 350'000, 10'000);
        EXPECT_EQ(found.summary["above"].get<std::string>().find("cannot tell: "), 0u) << found.summary;
    }
}

TEST(FindMax, one_stall_decides_nothing) {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        const Found found = search({.find_max = true, .loss_max = 0.001}, [&](const TrialRequest& request) {
            Json summary = limited(request, 100'000);
            if (random() % 4 == 0) summary["lost"] = summary["sent"].get<std::uint64_t>() / 10;
            return summary;
        });
        EXPECT_NEAR(found.summary["found_per_s"].get<double>(), 100'000, 20'000) << "seed " << seed;
    }
}

TEST(FindMax, trials_are_long_enough_for_what_is_asked) {
    const Found found = search({.find_max = true, .p99_max = millisecond, .duration = 100 * millisecond},
                               [](const TrialRequest& request) { return limited(request, 5'000); });
    for (const Json& trial : found.trials) EXPECT_GE(trial["sent"], 990) << trial;
    EXPECT_GE(found.summary["sent"], 990);
}

TEST(FindMax, a_trial_of_the_sender_is_repeated_longer) {
    std::vector<Duration> lengths;
    search({.find_max = true, .duration = 100 * millisecond}, [&](const TrialRequest& request) {
        Json summary = perfect(request);
        if (*request.rate >= 20'000) summary["unsent"] = summary["due"].get<double>() / 10;
        if (*request.rate == 20'000) lengths.push_back(*request.duration);
        return summary;
    });
    ASSERT_GE(lengths.size(), 2u);
    EXPECT_EQ(lengths[1], 2 * lengths[0]);
}

TEST(FindMax, exit_codes_without_a_rate) {
    EXPECT_EQ(search({.find_max = true}, [](const TrialRequest& request) { return limited(request, 0.1); }).exit_code,
              Exit::failed);
    const auto silent = [](const TrialRequest& request) {
        Json summary = limited(request, 0);
        for (auto& [name, value] : summary["rtt_us"].items()) value = nullptr;
        return summary;
    };
    const Found unanswered = search({.find_max = true}, silent);
    EXPECT_EQ(unanswered.exit_code, Exit::unreachable);
    EXPECT_EQ(unanswered.trials.size(), 2u) << "the first rate tried twice";
    const auto stuck = [](const TrialRequest& request) {
        Json summary = perfect(request);
        summary["unsent"] = summary["due"];
        return summary;
    };
    const Found found = search({.find_max = true}, stuck);
    EXPECT_EQ(found.exit_code, Exit::cannot_tell);
    EXPECT_TRUE(found.summary["found_per_s"].is_null());
}

TEST(Repeat, a_percentile_among_the_lost_probes_is_longer_than_any) {
    int runs = 0;
    const Found found = search({.repeat = 5}, [&](const TrialRequest&) {
        Json summary = perfect({.rate = 1'000, .duration = second});
        if (++runs % 2 == 0) return summary;
        summary["lost"] = 20;
        summary["rtt_us"]["p99"] = nullptr;
        summary["rtt_us"]["p999"] = nullptr;
        summary["rtt_us"]["lost_beyond"] = 1e6;
        return summary;
    });
    EXPECT_EQ(found.summary["rtt_us"]["p50"]["median"], 50);
    EXPECT_TRUE(found.summary["rtt_us"]["p99"]["median"].is_null()) << found.summary;
    EXPECT_EQ(found.summary["rtt_us"]["p99"]["low"], 50);
}

TEST(Sweep, reports_a_lower_bound_where_the_sender_is_the_limit) {
    const Found found = search({.sweep = true}, [](const TrialRequest& request) {
        Json summary = perfect(request);
        if (*request.rate > 50'000)
            summary.update({{"unsent", summary["due"]}, {"valid", false}, {"invalid_reason", "none sent"}});
        return summary;
    });
    EXPECT_EQ(found.exit_code, Exit::done);
    EXPECT_TRUE(found.summary["at_least"]);
    EXPECT_GE(found.summary["knee_per_s"], 32'000);
}

TEST(Sweep, finds_the_knee_of_the_peer) {
    const Found found = search({.sweep = true}, [](const TrialRequest& request) { return limited(request, 50'000); });
    EXPECT_FALSE(found.summary["at_least"]);
    EXPECT_NEAR(found.summary["knee_per_s"].get<double>(), 50'000, 10'000);
}

}  // namespace
}  // namespace ringpost::apps
