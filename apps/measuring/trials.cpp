#include "apps/measuring/trials.hpp"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "apps/measuring/trial_modes.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {

double loss_of(const Json& summary) {
    return ratio(summary["lost"].get<double>() + summary.value("errors", 0.0), summary["sent"].get<double>());
}

double unsent_share(const Json& summary) {
    return ratio(summary["unsent"].get<double>(), summary["due"].get<double>());
}

bool has_answers(const Json& summary) { return !summary["rtt_us"]["min"].is_null(); }

std::optional<double> percentile_of(const Json& summary, const char* name) {
    const Json& value = summary["rtt_us"][name];
    if (!value.is_null()) return value.get<double>();
    if (!summary["rtt_us"].contains("lost_beyond")) return std::nullopt;
    return std::numeric_limits<double>::infinity();
}

std::string time_text(std::optional<double> us) {
    return !us ? "-" : std::isinf(*us) ? "lost" : fmt::format("{:.1f}", *us);
}

void print_heading(const Report& report) {
    report.print("     asked/s       sent/s     loss %     p50 us     p99 us   p99.9 us");
}

namespace {

std::string row_text(std::optional<double> rate, const Json& summary) {
    std::string out = fmt::format("{:>12} {:>12.0f} {:>10.4f}", rate ? fmt::format("{:.0f}", *rate) : "-",
                                  summary["rate_per_s"].get<double>(), 100 * loss_of(summary));
    for (const char* name : {"p50", "p99", "p999"}) {
        out += fmt::format(" {:>10}", time_text(percentile_of(summary, name)));
    }
    return out;
}

}  // namespace

void print_trial(const Report& report, std::optional<double> rate, const Json& summary, const std::string& outcome) {
    report.print(row_text(rate, summary) + (outcome.empty() ? "" : "  " + outcome));
    Json event = {{"rate_asked", rate ? Json(*rate) : Json()}, {"outcome", outcome}};
    for (const char* name :
         {"sent", "due", "received", "lost", "rate_per_s", "valid", "rtt_us", "lateness_us", "slip_us"})
        if (summary.contains(name)) event[name] = summary[name];
    name_both_ways(event);
    report.event("trial", event);
}

void check_trial_duration(Duration duration) {
    constexpr Duration least = 5 * millisecond;
    if (duration < least)
        throw CLI::ValidationError(fmt::format("--find-max: at least --duration {}", duration_text(least)));
}

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
