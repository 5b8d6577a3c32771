#include "apps/commands/scenario_report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "apps/runs/environment.hpp"
#include "apps/runs/figures.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* row_counts = "row_counts";

/// How long the reply of a row is waited for.
Duration within_of(const LatencyOptions& options, std::size_t row) {
    for (const traffic::ScenarioStep& step : options.scenario->steps())
        if (step.kind == traffic::ScenarioStep::Kind::expect && step.row == row && step.time > 0) return step.time;
    return options.timeout;
}

/// A session that failed took longer than the shortest time that one of its replies was waited for.
LostProbes failed_sessions(const LatencyOptions& options, const Outcome& of) {
    Duration shortest = options.timeout;
    for (std::size_t row = 0; row < options.scenario->rows().size(); ++row)
        shortest = std::min(shortest, within_of(options, row));
    return {static_cast<std::uint64_t>(std::max<std::int64_t>(of.snapshot.lost, 0)), shortest};
}

const Histogram& times_of_row(const LatencyOptions& options, const Outcome& of, std::size_t row) {
    return of.snapshot.histograms[shape_of(options).histograms.size() + row];
}

/// The columns of a row: counts, then times; `-` where there is none.
std::string scenario_row_text(const std::string& name, const Json& row, const Histogram& times,
                              const LostProbes& lost) {
    std::string text = fmt::format("{:<34}", name);
    for (const auto& [member, width] :
         {std::pair("sent", 10), std::pair("answered", 10), std::pair("wrong", 8), std::pair("timed_out", 11)})
        text += fmt::format("{:>{}}", grouped(row[member].get<std::uint64_t>()), width);
    const auto add = [&](std::optional<double> value) {
        text += value ? fmt::format("{:>9.1f}", *value / 1e3) : fmt::format("{:>9}", "-");
    };
    for (const double percent : {50.0, 95.0, 99.0, 100.0}) {
        const auto value = times.count() > 0 ? percentile_with_lost(times, percent, lost.count) : std::nullopt;
        add(value ? std::optional(static_cast<double>(*value)) : std::nullopt);
    }
    add(times.count() > 0 && lost.count == 0 ? std::optional(times.mean()) : std::nullopt);
    return text;
}

constexpr std::size_t row_text_shown_max = 22;

std::string scenario_row_name(const traffic::ScenarioRow& row) {
    const bool cut = row.text.size() > row_text_shown_max;
    return printable(
        fmt::format("line {:<3} {}{}", row.line, row.text.substr(0, row_text_shown_max), cut ? "..." : ""));
}

void print_scenario_rows(const Report& report, const LatencyOptions& options, const Outcome& of, const Json& summary) {
    report.print(fmt::format("{:<34}{:>10}{:>10}{:>8}{:>11}{:>9}{:>9}{:>9}{:>9}{:>9}", "step", "sent", "answered",
                             "wrong", "timed out", "p50 us", "p95 us", "p99 us", "max us", "mean us"));
    for (std::size_t i = 0; i < options.scenario->rows().size(); ++i) {
        const Json& row = summary["steps"][i];
        report.print(scenario_row_text(scenario_row_name(options.scenario->rows()[i]), row,
                                       times_of_row(options, of, i),
                                       {row["timed_out"].get<std::uint64_t>(), within_of(options, i)}));
    }
    const Json sessions = {{"sent", summary["sent"]},
                           {"answered", summary["received"]},
                           {"wrong", summary["wrong"]},
                           {"timed_out", summary["timed_out"]}};
    report.print(scenario_row_text("session", sessions, of.snapshot.histograms.front(), failed_sessions(options, of)));
}

std::string loop_of_sessions(const LatencyOptions& options) {
    if (options.rate > 0) return "sessions at " + arrivals_text(options.arrivals, options.rate);
    return fmt::format("{} session{} at a time", grouped(options.window), options.window == 1 ? "" : "s");
}

}  // namespace

void add_scenario_counts(Outcome& out, const traffic::ScenarioRunner& runner) {
    const traffic::ScenarioCounters& counts = runner.counters();
    out.counts.update({{"wrong", counts.wrong},
                       {"timed_out", counts.timed_out},
                       {"unended", counts.unended},
                       {"waited", counts.waited},
                       {"foreign", counts.foreign},
                       {"surplus", counts.surplus},
                       {"late", counts.late}});
    add_counters(out.counts, "scenario", counts);
    Json& rows = out.counts[row_counts];
    for (std::size_t i = 0; i < runner.rows().size(); ++i) {
        const traffic::ScenarioRowCounters& row = runner.rows()[i];
        rows[std::to_string(i)] = {
            {"sent", row.sent}, {"answered", row.answered}, {"wrong", row.wrong}, {"timed_out", row.timed_out}};
    }
    out.snapshot.histograms.insert(out.snapshot.histograms.end(), runner.row_times().begin(), runner.row_times().end());
}

Json scenario_summary(const LatencyOptions& options, const Outcome& of) {
    const RunShape shape = shape_of(options);
    Json summary = summary_json(shape, of.snapshot);
    summary.update(of.counts);
    const Json counted = summary[row_counts];
    summary.erase(row_counts);
    summary["duration_s"] = of.duration_s;
    summary["rate_per_s"] = ratio(static_cast<double>(of.snapshot.sent), of.duration_s);
    summary.update(of.facts);
    const LostProbes failed = failed_sessions(options, of);
    for (std::size_t i = 0; i < shape.histograms.size(); ++i) {
        const std::string& name = shape.histograms[i];
        summary[name == "response" ? "rtt_us" : name + "_us"] =
            percentiles_us(of.snapshot.histograms[i], ranks_lost(name) ? failed : LostProbes{});
    }
    summary["timeout_us"] = static_cast<double>(options.timeout) / 1e3;
    summary["scenario"] = options.scenario_file;
    summary["flows"] = options.flows;
    Json& steps = summary["steps"] = Json::array();
    for (std::size_t i = 0; i < options.scenario->rows().size(); ++i) {
        const traffic::ScenarioRow& row = options.scenario->rows()[i];
        Json step = {{"line", row.line}, {"text", row.text}};
        step.update(counted[std::to_string(i)]);
        step["response_us"] = percentiles_us(times_of_row(options, of, i),
                                             {step["timed_out"].get<std::uint64_t>(), within_of(options, i)});
        steps.push_back(std::move(step));
    }
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        judge_schedule(summary);
        judge_lateness(summary, of.snapshot.histograms[0], of.snapshot.histograms[1], failed.count);
    }
    add_arrivals(summary, options.arrivals);
    summary["clock"] = clock_json();
    name_both_ways(summary);
    return summary;
}

void print_scenario(const Report& report, const LatencyOptions& options, const Agents& agents, const Outcome& of,
                    const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("{}, {}{}{} flows, {}, {}, {:.3f} s", printable(options.scenario_file),
                             agents_text(agents), engines_text(options.threads),
                             grouped(options.flows * agents.count()), summary["backend"].get<std::string>(),
                             loop_of_sessions(options), of.duration_s));
    report.print(fmt::format("sessions {}  complete {}  failed {}  waited for a flow {}", count("sent"),
                             count("received"), count("lost"), count("waited")));
    report.print(fmt::format("replies late {}  to no step {}  not selected {}", count("late"), count("surplus"),
                             count("foreign")));
    if (summary["unended"] > 0)
        report.print(fmt::format("sessions whose repeat did not end in time: {}", count("unended")));
    if (summary["send_failed"].get<std::uint64_t>() > 0)
        report.print(fmt::format("refused by the kernel: {} (last error: {})", count("send_failed"),
                                 summary["last_send_error"].get<std::string>()));
    print_scenario_rows(report, options, of, summary);
    if (options.rate > 0) {
        const RunShape shape = shape_of(options);
        for (std::size_t i = 0; i < shape.histograms.size(); ++i)
            report.print(fmt::format(
                "{:<11} {}", shape.histograms[i],
                percentiles_text(of.snapshot.histograms[i],
                                 ranks_lost(shape.histograms[i]) ? failed_sessions(options, of) : LostProbes{})));
    }
    if (summary.contains("stands")) report.print("lateness    " + lateness_text(summary));
    if (summary["waited"] > 0)
        report.note(fmt::format("{} sessions were due while all {} flows were in use; their times include the wait",
                                count("waited"), grouped(options.flows)));
    report.print(clock_text(summary["clock"]));
}

int explain_no_sessions(const Report& report, const Address& target, const Json& summary) {
    const auto any = [&](const char* name) { return summary.value(name, std::uint64_t{0}) > 0; };
    const auto ends_with = [&](Exit code, const std::string& why) {
        report.note(fmt::format("{}: {}", to_text(target), why));
        return code;
    };
    for (const Json& step : summary["steps"])
        if (step["wrong"] > 0)
            return ends_with(Exit::failed, fmt::format("no session was complete: wrong replies to line {}: {}",
                                                       step["line"].get<std::uint64_t>(),
                                                       grouped(step["wrong"].get<std::uint64_t>())));
    if (any("unended")) return ends_with(Exit::failed, "no session was complete: a repeat did not end");
    if (summary["counters"]["scenario"]["datagrams_received"] > 0)
        return ends_with(Exit::failed, "no session was complete: some replies came, but none of a step");
    if (any("unreachable")) return ends_with(Exit::unreachable, "unreachable");
    if (any("send_failed"))
        return ends_with(Exit::unreachable, "refused by the kernel: " + summary["last_send_error"].get<std::string>());
    if (summary["sent"] > 0) return ends_with(Exit::unreachable, "no answer");
    report.note(any("due") ? "nothing was sent: the process was stalled until after the duration"
                           : "nothing was sent: no session was due within the duration");
    return Exit::failed;
}

}  // namespace ringpost::apps
