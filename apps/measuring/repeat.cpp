// --repeat: medians of equal runs, with 95 % intervals.

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "apps/measuring/trial_modes.hpp"
#include "apps/runs/figures.hpp"
#include "codec/base/split_mix.hpp"

namespace ringpost::apps {
namespace {

struct Spread {
    double median = 0, low = 0, high = 0;
};

double median_of(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The median with its 95 % interval (Efron's bootstrap). Deterministic.
Spread spread_of(const std::vector<double>& values) {
    constexpr std::size_t drawings = 2'000;
    SplitMix64 random(1);
    std::vector<double> medians(drawings), drawn(values.size());
    for (double& median : medians) {
        for (double& value : drawn) value = values[random.below(values.size())];
        median = median_of(drawn);
    }
    std::ranges::sort(medians);
    return {median_of(values), medians[drawings * 25 / 1000], medians[drawings * 975 / 1000 - 1]};
}

}  // namespace

int repeat(const Report& report, std::uint64_t count, const Trial& trial) {
    constexpr struct {
        const char* label;
        const char* name;
    } shown[] = {{"p50", "p50"}, {"p99", "p99"}, {"p99.9", "p999"}};
    std::vector<double> rates;
    std::vector<double> percentiles[std::size(shown)];
    std::uint64_t sent = 0, lost = 0, invalid = 0, runs = 0;
    bool answered = false;
    print_heading(report);
    for (; runs < count; ++runs) {
        const Json summary = trial({});
        if (received_signal() != 0) break;
        const bool valid = summary.value("valid", true);
        std::optional<double> asked;
        if (summary.contains("rate_asked")) asked = summary["rate_asked"].get<double>();
        print_trial(report, asked, summary, valid ? "" : "INVALID");
        invalid += !valid;
        answered |= has_answers(summary);
        sent += summary["sent"].get<std::uint64_t>();
        lost += summary["lost"].get<std::uint64_t>();
        rates.push_back(summary["rate_per_s"].get<double>());
        for (std::size_t i = 0; i < std::size(shown); ++i)
            if (const auto value = percentile_of(summary, shown[i].name)) percentiles[i].push_back(*value);
    }
    Json event = {{"runs", runs}, {"invalid", invalid}, {"sent", sent}, {"lost", lost}};
    const auto print_spread = [&](const char* label, const char* unit, const std::vector<double>& values) {
        if (values.empty()) return Json();
        const Spread spread = spread_of(values);
        report.print(fmt::format("{:<6} median {:>12}{}, 95 % interval {} to {}", label, time_text(spread.median), unit,
                                 time_text(spread.low), time_text(spread.high)));
        const auto finite = [](double value) { return std::isinf(value) ? Json() : Json(value); };
        return Json{{"median", finite(spread.median)}, {"low", finite(spread.low)}, {"high", finite(spread.high)}};
    };
    event["rate_per_s"] = print_spread("rate", "/s", rates);
    for (std::size_t i = 0; i < std::size(shown); ++i)
        event["rtt_us"][shown[i].name] = print_spread(shown[i].label, " us", percentiles[i]);
    name_both_ways(event);
    if (invalid > 0) report.print(fmt::format("INVALID: {} of {} runs", invalid, runs));
    report.event("summary", event);
    return answered ? Exit::done : Exit::unreachable;
}

}  // namespace ringpost::apps
