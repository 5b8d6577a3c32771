// --find-max: the highest rate that passes, in trials of traffic::RateSearch.

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "apps/cli/failure.hpp"
#include "apps/measuring/trial_modes.hpp"
#include "apps/measuring/verdict.hpp"
#include "apps/runs/figures.hpp"
#include "codec/traffic/rate_search.hpp"

namespace ringpost::apps {
namespace {

/// While the search goes on: it tries a rate that failed again before it ends.
constexpr int tries_searching = 2;
constexpr int confirmations = 3;
constexpr double search_first = 10'000;
/// Unless a longer one is asked for.
constexpr Duration trial_longest = 5 * second;
/// With a larger share of probes that were due but not sent, it was probably not a stall, and another trial would end
/// alike.
constexpr double unsent_hopeless = 0.15;

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
        print_heading(report_);
        while (const auto rate = search_.next()) {
            const Judged judged = try_rate(*rate);
            if (received_signal() != 0) break;
            if (!answered_) break;  // at a rate that any server can answer
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
        if (received_signal() == 0 && !answered_) text = "no answer";
        if (received_signal() == 0 && answered_ && !found)
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

}  // namespace

int find_max(const Report& report, const TrialOptions& options, const Trial& trial) {
    return MaxSearch(report, options, trial).run();
}

}  // namespace ringpost::apps
