#include "apps/measuring/trials.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "apps/measuring/verdict.hpp"
#include "apps/runs/figures.hpp"
#include "codec/base/split_mix.hpp"
#include "codec/traffic/rate_search.hpp"

namespace ringpost::apps {
namespace {

/// Attempts per rate, because a stall of the machine may spoil one.
constexpr int tries = 3;
/// While --find-max searches: it tries a rate that failed again before it ends.
constexpr int tries_searching = 2;
constexpr int confirmations = 3;
constexpr double search_first = 10'000;
/// Of --find-max, unless a longer one is asked for.
constexpr Duration trial_longest = 5 * second;
/// With a larger share of probes that were due but not sent, a trial does not test its rate.
constexpr double unsent_max = 0.01;
/// With more, it was probably not a stall, and another trial would end alike.
constexpr double unsent_hopeless = 0.15;
constexpr double sweep_first = 1'000;
constexpr double sweep_most = 1e8;
constexpr double knee_loss = 0.01;
constexpr double knee_times = 3;  // times the lowest rate's p50; higher percentiles are too noisy
constexpr int points_before_knee = 3;
constexpr int plot_columns = 50;

/// The share of probes without a good answer.
double loss_of(const Json& summary) {
    return ratio(summary["lost"].get<double>() + summary.value("errors", 0.0), summary["sent"].get<double>());
}

double unsent_share(const Json& summary) {
    return ratio(summary["unsent"].get<double>(), summary["due"].get<double>());
}

bool has_answers(const Json& summary) { return !summary["rtt_us"]["min"].is_null(); }

/// In microseconds; infinite among the lost probes.
std::optional<double> percentile_of(const Json& summary, const char* name) {
    const Json& value = summary["rtt_us"][name];
    if (!value.is_null()) return value.get<double>();
    if (!summary["rtt_us"].contains("lost_beyond")) return std::nullopt;
    return std::numeric_limits<double>::infinity();
}

std::string time_text(std::optional<double> us) {
    return !us ? "-" : std::isinf(*us) ? "lost" : fmt::format("{:.1f}", *us);
}

const char* const heading = "     asked/s       sent/s     loss %     p50 us     p99 us   p99.9 us";

std::string row_text(std::optional<double> rate, const Json& summary) {
    std::string out = fmt::format("{:>12} {:>12.0f} {:>10.4f}", rate ? fmt::format("{:.0f}", *rate) : "-",
                                  summary["rate_per_s"].get<double>(), 100 * loss_of(summary));
    for (const char* name : {"p50", "p99", "p999"}) {
        out += fmt::format(" {:>10}", time_text(percentile_of(summary, name)));
    }
    return out;
}

void print_trial(const Report& report, std::optional<double> rate, const Json& summary, const std::string& outcome) {
    report.print(row_text(rate, summary) + (outcome.empty() ? "" : "  " + outcome));
    Json event = {{"rate_asked", rate ? Json(*rate) : Json()}, {"outcome", outcome}};
    for (const char* name :
         {"sent", "due", "received", "lost", "rate_per_s", "valid", "rtt_us", "lateness_us", "slip_us"})
        if (summary.contains(name)) event[name] = summary[name];
    name_both_ways(event);
    report.event("trial", event);
}

// ---- --find-max -----------------------------------------------------------------------------------

struct Judged {
    traffic::TrialResult result = traffic::TrialResult::passed;
    std::string reason;  ///< of any other result
};

/// The largest share of the probes that may have left in a burst, because the sender had fallen behind by many.
double burst_share_max(const Json& summary, double rate) {
    constexpr double burst = 50;
    const double late_us = 1e6 * burst / rate;
    double share = 1;
    for (const auto& reported : reported_percentiles) {
        const Json& slip = summary["slip_us"][reported.name];
        if (slip.is_null() || slip.get<double>() > late_us) return share;
        share = 1 - reported.percent / 100;
    }
    return 0;
}

/// Loss and delay fail a trial if they are the peer's. A trial passes with whatever lateness of the sender: without it
/// the times would be shorter.
Judged judge_trial(const Json& summary, double rate, const TrialOptions& options) {
    using traffic::TrialResult;
    const double loss = loss_of(summary);
    if (!has_answers(summary)) return {TrialResult::failed, "no answer"};
    if (loss > options.loss_max) {
        if (loss > burst_share_max(summary, rate)) return {TrialResult::failed, "loss"};
        return {TrialResult::cannot_tell, "the sender was late and sent bursts, of which some were lost"};
    }
    if (options.p99_max != never) {
        if (!summary.value("replies_distinct", true))
            return {TrialResult::cannot_tell, summary["invalid_reason"].get<std::string>()};
        const Condition p99{"p99", "p99", true, static_cast<double>(options.p99_max) / 1e3};
        const Met met = p99.met_by(summary);
        if (met == Met::no) return {TrialResult::failed, "p99"};
        if (met == Met::undecided)
            return {TrialResult::cannot_tell, fmt::format("{:.1f} us of the p99 is this machine's own lateness",
                                                          summary["lateness_us"]["p99"].get<double>())};
    }
    if (const double unsent = unsent_share(summary); unsent > unsent_max)
        return {TrialResult::cannot_tell, fmt::format("it sends only {:.1f} % of the rate", 100 * (1 - unsent))};
    return {};
}

/// A hundredth, or the loss allowed, must be more than a few probes.
std::uint64_t probes_needed(const TrialOptions& options) {
    constexpr double behind_p99 = 10;    // probes slower than the p99
    constexpr double rule_of_three = 3;  // none lost of n: with 95 % confidence the loss is below 3 / n
    double needed = options.p99_max != never ? behind_p99 / 0.01 : 0;
    if (options.loss_max > 0) needed = std::max(needed, rule_of_three / options.loss_max);
    return static_cast<std::uint64_t>(std::ceil(needed));
}

/// The trials of --find-max at one rate after another.
class MaxSearch {
  public:
    MaxSearch(const Report& report, const TrialOptions& options, const Trial& trial)
        : report_(report), options_(options), trial_(trial) {}

    int run() {
        report_.print(heading);
        while (const auto rate = search_.next()) {
            const Judged judged = try_rate(*rate);
            if (received_signal() != 0) break;
            if (judged.result != traffic::TrialResult::passed) reason_above_ = judged.reason;
            search_.tried(judged.result);
        }
        print_result();
        if (search_.found()) return Exit::done;
        if (!answered_) return Exit::unreachable;
        return search_.above() == traffic::TrialResult::cannot_tell ? Exit::cannot_tell : Exit::failed;
    }

  private:
    /// Repeats a trial that has not passed, as a stall of either machine may have spoilt it; longer if it was ours.
    Judged try_rate(double rate) {
        const auto needed = static_cast<Duration>(1e9 * static_cast<double>(probes_needed(options_)) / rate);
        const Duration longest = std::max(options_.duration, trial_longest);
        Duration length = std::clamp(needed, options_.duration, longest);
        Judged worst;
        for (int i = 0; i < (search_.searching() ? tries_searching : tries); ++i) {
            const Json summary = trial_({rate, length});
            ++trials_;
            if (received_signal() != 0) return {};
            Judged judged = judge_trial(summary, rate, options_);
            const bool passed = judged.result == traffic::TrialResult::passed;
            print_trial(report_, rate, summary,
                        passed ? (search_.confirming() ? "confirmed" : "passed") : judged.reason);
            answered_ |= has_answers(summary);
            if (passed) at_found_ = summary;
            if (passed) return judged;
            if (worst.result != traffic::TrialResult::failed) worst = judged;
            if (search_.searching() && unsent_share(summary) > unsent_hopeless) return worst;
            if (judged.result == traffic::TrialResult::cannot_tell) length = std::min(2 * length, longest);
        }
        return worst;
    }

    void print_result() const {
        const std::optional<double> found = search_.found();
        const bool undecided = search_.above() == traffic::TrialResult::cannot_tell;
        Json event = {{"found_per_s", found ? Json(*found) : Json()}, {"trials", trials_}};
        event["above"] = search_.above() == traffic::TrialResult::passed ? ""
                         : undecided                                     ? "cannot tell: " + reason_above_
                                                                         : reason_above_;
        std::string text = "interrupted before the search was complete";
        if (received_signal() == 0 && !found)
            text =
                undecided ? "cannot tell: no rate passes here; " + reason_above_ : "no rate passes: " + reason_above_;
        if (found) {
            for (const char* name : {"sent", "lost", "rtt_us", "slip_us", "backend"}) event[name] = at_found_[name];
            name_both_ways(event);
            const std::string rate = rate_text(*found);
            text = undecided ? "at least " + rate + "; above that this machine cannot tell: " + reason_above_
                             : "the highest rate that passes: " + rate + "; above it: " + reason_above_;
        }
        report_.print(text);
        if (found) report_.print(evidence_text(at_found_));
        report_.event("summary", event);
    }

    /// How many probes the result rests on.
    std::string evidence_text(const Json& summary) const {
        const auto sent = summary["sent"].get<std::uint64_t>();
        std::string text = fmt::format("confirmed by {} trials of {} probes", confirmations, grouped(sent));
        if (options_.p99_max != never) text += fmt::format(", {} of them behind the p99", grouped(sent / 100));
        if (sent < probes_needed(options_))
            text += fmt::format("; {} would be needed to be sure: use a longer --duration",
                                grouped(probes_needed(options_)));
        return text;
    }

    const Report& report_;
    const TrialOptions& options_;
    const Trial& trial_;
    traffic::RateSearch search_{{.first = search_first, .confirmations = confirmations}};
    std::string reason_above_;  ///< of the last trial that has not passed
    Json at_found_;             ///< the last trial that passed
    int trials_ = 0;
    bool answered_ = false;
};

// ---- --sweep --------------------------------------------------------------------------------------

struct Point {
    double rate = 0;
    Json summary;
};

bool beyond_knee(const Point& point, const Point& lowest) {
    const auto p50 = percentile_of(point.summary, "p50"), calm = percentile_of(lowest.summary, "p50");
    return loss_of(point.summary) > knee_loss || !p50 || (calm && *p50 > *calm * knee_times);
}

/// Whether this machine sends the rate too late or not at all, so that it is not tested.
bool is_untested(const Point& point) {
    return unsent_share(point.summary) > unsent_max || !point.summary["valid"].get<bool>();
}

/// A bar for each rate, its length the logarithm of the p99.
void plot(const Report& report, const std::vector<Point>& points) {
    double least = 0, most = 0;
    for (const Point& point : points)
        if (const auto p99 = percentile_of(point.summary, "p99"); p99 && !std::isinf(*p99)) {
            least = least == 0 ? *p99 : std::min(least, *p99);
            most = std::max(most, *p99);
        }
    if (most == 0) return;
    report.print("");
    report.print(fmt::format("p99 at each rate, from {:.1f} to {:.1f} us on a logarithmic scale", least, most));
    for (const Point& point : points) {
        const double p99 = std::min(percentile_of(point.summary, "p99").value_or(most), most);
        const double share = most > least ? std::log(p99 / least) / std::log(most / least) : 0;
        const auto columns = static_cast<std::size_t>(1 + share * (plot_columns - 1));
        report.print(fmt::format("{:>12.0f} {}", point.rate, std::string(columns, '#')));
    }
}

int sweep(const Report& report, const Trial& trial) {
    std::vector<Point> points;
    bool answered = false;
    std::string untested;  // why the lowest rate that is not tested is not
    // Returns false beyond the knee, at a rate that cannot be tested, or after a signal.
    const auto measure = [&](double rate) {
        for (int i = 0; i < tries; ++i) {
            const Point point{rate, trial({rate, {}})};
            if (received_signal() != 0) return false;
            answered |= has_answers(point.summary);
            const bool beyond = beyond_knee(point, points.empty() ? point : points.front());
            const bool again = (beyond || is_untested(point)) && i + 1 < tries;
            print_trial(report, rate, point.summary,
                        again                ? "again"
                        : is_untested(point) ? "cannot tell"
                        : beyond             ? "beyond the knee"
                                             : "");
            if (again) continue;
            if (is_untested(point)) {
                untested = point.summary["invalid_reason"].get<std::string>();
                return false;
            }
            points.push_back(point);
            return !beyond;
        }
        return false;
    };
    report.print(heading);
    double rate = sweep_first;
    while (rate < sweep_most && measure(rate)) rate *= 2;
    const double step = std::pow(2, 1.0 / (points_before_knee + 1));
    for (int i = 1; i <= points_before_knee && !points.empty() && received_signal() == 0; ++i)
        measure(rate / 2 * std::pow(step, i));
    std::ranges::sort(points, {}, &Point::rate);
    plot(report, points);
    // Noise may let a rate fail and a higher one pass. The knee lies before the first failure.
    double knee = 0;
    bool seen = false;  // a rate beyond the knee
    for (const Point& point : points) {
        seen = beyond_knee(point, points.front());
        if (seen) break;
        knee = point.rate;
    }
    const bool undecided = !seen && !untested.empty();
    if (received_signal() != 0)
        report.print(fmt::format("interrupted; knee so far: {}", rate_text(knee)));
    else if (undecided)
        report.print(
            fmt::format("knee: at least {}; above that this machine cannot tell: {}", rate_text(knee), untested));
    else
        report.print(fmt::format("knee: latency and loss stay low up to {}", rate_text(knee)));
    report.event("summary", {{"knee_per_s", knee}, {"at_least", undecided}, {"trials", points.size()}});
    if (knee > 0) return Exit::done;
    if (!answered) return Exit::unreachable;
    return undecided ? Exit::cannot_tell : Exit::failed;
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
    bool answered = false;
    report.print(heading);
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
    if (options.find_max) return MaxSearch(report, options, trial).run();
    return options.sweep ? sweep(report, trial) : repeat(report, options.repeat, trial);
}

}  // namespace ringpost::apps
