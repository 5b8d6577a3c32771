#include "apps/measuring/trials.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "codec/base/split_mix.hpp"
#include "codec/traffic/rate_search.hpp"

namespace ringpost::apps {
namespace {

/// Attempts per rate, because a stall of the machine may spoil one.
constexpr int tries = 3;
constexpr double sweep_first = 1'000;
constexpr double sweep_most = 1e8;
constexpr double knee_loss = 0.01;
constexpr double knee_times = 3;  // times the lowest rate's p50; higher percentiles are too noisy
constexpr double knee_rate = 0.99;
constexpr int points_before_knee = 3;
constexpr int plot_columns = 50;

double loss_of(const Json& summary) { return ratio(summary["lost"].get<double>(), summary["sent"].get<double>()); }

std::optional<double> percentile_of(const Json& summary, const char* name) {
    const Json& value = summary["rtt_us"][name];
    return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

const char* const heading = "     asked/s       sent/s     loss %     p50 us     p99 us   p99.9 us";

std::string row_text(std::optional<double> rate, const Json& summary) {
    std::string out = fmt::format("{:>12} {:>12.0f} {:>10.4f}", rate ? fmt::format("{:.0f}", *rate) : "-",
                                  summary["rate_per_s"].get<double>(), 100 * loss_of(summary));
    for (const char* name : {"p50", "p99", "p999"}) {
        const auto value = percentile_of(summary, name);
        out += value ? fmt::format(" {:>10.1f}", *value) : fmt::format(" {:>10}", "-");
    }
    return out;
}

void print_trial(const Report& report, std::optional<double> rate, const Json& summary, const std::string& outcome) {
    report.print(row_text(rate, summary) + (outcome.empty() ? "" : "  " + outcome));
    Json event = {{"rate_asked", rate ? Json(*rate) : Json()}, {"outcome", outcome}};
    for (const char* name : {"sent", "received", "lost", "rate_per_s", "valid", "rtt_us", "slip_us"})
        if (summary.contains(name)) event[name] = summary[name];
    report.event("trial", event);
}

/// Why a trial has failed, or "".
std::string failure(const Json& summary, const TrialOptions& options) {
    if (!summary["valid"].get<bool>()) return "INVALID";
    if (loss_of(summary) > options.loss_max) return "loss";
    const auto p99 = percentile_of(summary, "p99");
    if (!p99) return "no answer";
    return options.p99_max != never && *p99 * 1e3 > static_cast<double>(options.p99_max) ? "p99" : "";
}

// ---- --find-max -----------------------------------------------------------------------------------

int find_max(const Report& report, const TrialOptions& options, const Trial& trial) {
    traffic::RateSearch search({});
    report.print(heading);
    int trials = 0;
    bool answered = false;
    Json at_found;
    for (; const auto rate = search.next(); ++trials) {
        const bool confirming = search.confirming();
        Json summary;
        std::string reason;
        // Repeats an invalid trial, which measures the sender and not the server.
        for (int i = 0; i < tries && received_signal() == 0; ++i) {
            summary = trial(rate);
            reason = failure(summary, options);
            if (summary["valid"].get<bool>()) break;
        }
        if (received_signal() != 0) break;
        print_trial(report, rate, summary, reason.empty() ? (confirming ? "confirmed" : "passed") : reason);
        if (reason.empty()) at_found = summary;
        answered |= percentile_of(summary, "p50").has_value();
        search.tried(reason.empty());
    }
    const std::optional<double> found = search.found();
    Json event = {{"found_per_s", found ? Json(*found) : Json()}, {"trials", trials}};
    if (found)
        for (const char* name : {"lost", "rtt_us", "slip_us", "backend"}) event[name] = at_found[name];
    std::string verdict = received_signal() != 0 ? "interrupted before the search was complete" : "no rate passes";
    if (found) verdict = fmt::format("the highest rate that passes: {:.0f}/s", *found);
    report.print(verdict);
    report.event("summary", event);
    if (found) return Exit::done;
    return answered ? Exit::failed : Exit::unreachable;
}

// ---- --sweep --------------------------------------------------------------------------------------

struct Point {
    double rate = 0;
    Json summary;
};

bool beyond_knee(const Point& point, const Point& lowest) {
    const auto p50 = percentile_of(point.summary, "p50"), calm = percentile_of(lowest.summary, "p50");
    return point.summary["rate_per_s"].get<double>() < point.rate * knee_rate || loss_of(point.summary) > knee_loss ||
           !p50 || (calm && *p50 > *calm * knee_times);
}

/// A bar for each rate, its length the logarithm of the p99.
void plot(const Report& report, const std::vector<Point>& points) {
    double least = 0, most = 0;
    for (const Point& point : points)
        if (const auto p99 = percentile_of(point.summary, "p99")) {
            least = least == 0 ? *p99 : std::min(least, *p99);
            most = std::max(most, *p99);
        }
    if (most == 0) return;
    report.print("");
    report.print(fmt::format("p99 at each rate, from {:.1f} to {:.1f} us on a logarithmic scale", least, most));
    for (const Point& point : points) {
        const double p99 = percentile_of(point.summary, "p99").value_or(most);
        const double share = most > least ? std::log(p99 / least) / std::log(most / least) : 0;
        const auto columns = static_cast<std::size_t>(1 + share * (plot_columns - 1));
        report.print(fmt::format("{:>12.0f} {}", point.rate, std::string(columns, '#')));
    }
}

int sweep(const Report& report, const Trial& trial) {
    std::vector<Point> points;
    // Returns false beyond the knee or after a signal.
    const auto measure = [&](double rate) {
        for (int i = 0; i < tries; ++i) {
            const Point point{rate, trial(rate)};
            if (received_signal() != 0) return false;
            const bool beyond = beyond_knee(point, points.empty() ? point : points.front());
            const bool again = beyond && i + 1 < tries;
            const bool valid = point.summary["valid"].get<bool>();
            print_trial(report, rate, point.summary,
                        again    ? "again"
                        : beyond ? "beyond the knee"
                        : valid  ? ""
                                 : "INVALID");
            if (again) continue;
            points.push_back(point);
            return !beyond;
        }
        return false;
    };
    report.print(heading);
    double rate = sweep_first;
    while (rate < sweep_most && measure(rate)) rate *= 2;
    const double step = std::pow(2, 1.0 / (points_before_knee + 1));
    for (int i = 1; i <= points_before_knee && points.size() > 1 && received_signal() == 0; ++i)
        measure(rate / 2 * std::pow(step, i));
    std::ranges::sort(points, {}, &Point::rate);
    plot(report, points);
    // Noise may let a rate fail and a higher one pass. The knee lies before the first failure.
    double knee = 0;
    for (const Point& point : points) {
        if (beyond_knee(point, points.front())) break;
        knee = point.rate;
    }
    report.print(fmt::format("{}: latency and loss stay low up to {:.0f}/s",
                             received_signal() != 0 ? "interrupted; knee so far" : "knee", knee));
    report.event("summary", {{"knee_per_s", knee}, {"trials", points.size()}});
    if (knee > 0) return Exit::done;
    const bool answered =
        std::ranges::any_of(points, [](const Point& point) { return percentile_of(point.summary, "p50").has_value(); });
    return answered ? Exit::failed : Exit::unreachable;
}

// ---- --repeat -------------------------------------------------------------------------------------

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

int repeat(const Report& report, std::uint64_t count, const Trial& trial) {
    constexpr struct {
        const char* label;
        const char* name;
    } shown[] = {{"p50", "p50"}, {"p99", "p99"}, {"p99.9", "p999"}};
    std::vector<double> rates;
    std::vector<double> percentiles[std::size(shown)];
    std::uint64_t sent = 0, lost = 0, invalid = 0, runs = 0;
    report.print(heading);
    for (; runs < count; ++runs) {
        const Json summary = trial(std::nullopt);
        if (received_signal() != 0) break;
        const bool valid = summary.value("valid", true);
        std::optional<double> asked;
        if (summary.contains("rate_asked")) asked = summary["rate_asked"].get<double>();
        print_trial(report, asked, summary, valid ? "" : "INVALID");
        invalid += !valid;
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
        report.print(fmt::format("{:<6} median {:>12.1f}{}, 95 % interval {:.1f} to {:.1f}", label, spread.median, unit,
                                 spread.low, spread.high));
        return Json{{"median", spread.median}, {"low", spread.low}, {"high", spread.high}};
    };
    event["rate_per_s"] = print_spread("rate", "/s", rates);
    for (std::size_t i = 0; i < std::size(shown); ++i)
        event["rtt_us"][shown[i].name] = print_spread(shown[i].label, " us", percentiles[i]);
    if (invalid > 0) report.print(fmt::format("INVALID: {} of {} runs", invalid, runs));
    report.event("summary", event);
    return percentiles[0].empty() ? Exit::unreachable : Exit::done;
}

}  // namespace

void add_trials(CLI::App& command, TrialOptions& options) {
    auto* find = command.add_flag("--find-max", options.find_max,
                                  "find the highest rate that passes --loss and --p99 (RFC 2544)");
    add_parsed(command, "--loss", options.loss_max, parse_chance, "--find-max: highest loss that passes (default 0%)")
        ->needs(find);
    add_parsed(command, "--p99", options.p99_max, parse_duration,
               "--find-max: highest p99 that passes (default unlimited)")
        ->needs(find);
    auto* sweep = command
                      .add_flag("--sweep", options.sweep,
                                "measure at rising rates, from 1k per second until latency or loss degrades")
                      ->excludes(find);
    add_parsed(command, "--repeat", options.repeat, parse_count,
               "number of runs; report medians with 95 % intervals (default 1)")
        ->excludes(find)
        ->excludes(sweep);
}

int run_trials(const Report& report, const TrialOptions& options, const Trial& trial) {
    if (options.find_max) return find_max(report, options, trial);
    return options.sweep ? sweep(report, trial) : repeat(report, options.repeat, trial);
}

}  // namespace ringpost::apps
