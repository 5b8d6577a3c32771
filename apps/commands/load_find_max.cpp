// An unpaced trial shows what the kernel takes, and a search over the pace what arrives. Every trial is a run of its
// own, with a sink of its own. A pace that fails is tried again, because a stall of the machine lets a receive buffer
// overflow at any rate; what passes needs no punctual machine.

#include "apps/commands/load_find_max.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "apps/cli/sizes.hpp"
#include "apps/commands/load_report.hpp"
#include "apps/commands/load_search.hpp"
#include "apps/commands/load_self.hpp"
#include "apps/measuring/trial_modes.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

constexpr Duration pace_trial = 300 * millisecond;
constexpr int pace_confirmation_trials = 2;  ///< a confirmation lasts as long as two trials
/// A failed pace is tried again until as much time has passed as so many trials last.
constexpr int pace_patience_trials = 20;
/// No pace is tried below this share of the unpaced rate, nor one at which a trial has fewer datagrams: on a path that
/// loses at any rate, a trial of few would pass by chance.
constexpr double pace_range = 1'000;
constexpr double pace_datagrams_min = 300;

/// With three significant digits, as it can be given to --rate.
double rounded_pace(double per_s) {
    const double unit = std::pow(10, std::floor(std::log10(per_s)) - 2);
    return std::floor(per_s / unit) * unit;
}

std::string pace_option(double per_s) {
    if (per_s >= 1e6) return fmt::format("{:.3g}M", per_s / 1e6);
    return per_s >= 1e3 ? fmt::format("{:.3g}k", per_s / 1e3) : fmt::format("{:.3g}", per_s);
}

std::string percent_text(double share) { return fmt::format("{:.3g} %", share * 100); }

struct PaceTrial {
    Json summary;

    std::uint64_t sent() const { return summary["sent"].get<std::uint64_t>(); }
    bool refused() const { return summary["refused"].get<bool>(); }
    /// The sink was asked for its counts, and does not report them.
    bool unreported() const { return sent() > 0 && !summary.value("far_known", true); }
    /// In both directions.
    std::uint64_t lost() const {
        std::uint64_t lost = 0;
        for (const char* name : {"lost", "back_lost"})
            if (const auto found = summary.find(name); found != summary.end()) lost += found->get<std::uint64_t>();
        return lost;
    }
    double loss() const { return ratio(static_cast<double>(lost()), static_cast<double>(sent())); }
    double sent_per_s() const {
        return summary[summary.contains("sent_rate_per_s") ? "sent_rate_per_s" : "rate_per_s"].get<double>();
    }
    bool lost_at_the_buffer() const {
        const auto places = summary.find("lost_in");
        return places != summary.end() && (*places)["path"] == 0;
    }
};

class LoadTrials {
  public:
    LoadTrials(const LoadOptions& options, const Agents& agents, Report& report)
        : options_(options), agents_(agents), report_(report), began_(now()) {
        if (options.threads.self) return;
        target_ = sender_target(options.sender, options.to, options.payloads.default_port);
        check_target_network(target_, options.multicast, options.foreign_targets);
        check_load_target(options, target_);
    }

    /// Pace 0: as fast as the kernel takes them.
    PaceTrial run(double per_s, Duration duration) {
        LoadOptions options = options_;
        options.rate = per_s;
        options.duration = duration;
        std::optional<OwnSink> own_sink;
        if (options.threads.self) own_sink.emplace(options);
        const Address target = own_sink ? own_sink->address() : target_;
        Report silent(Report::Form::silent);
        const RunShape shape = shape_of(options);
        Monitor monitor({.shape = shape, .engines = options.threads.count, .prometheus = "", .complete = {}}, silent,
                        nullptr);
        // Notes on the backend are the same for each trial.
        Outcome outcome = measure_load(options, target, agents_, monitor, trials_++ == 0 ? report_ : silent);
        monitor.finish(outcome.snapshot);
        PaceTrial trial{summary_of(options, outcome)};
        if (own_sink) trial.summary = own_sink->finish(shape, trial.summary, {&outcome.snapshot});
        return trial;
    }

    /// Tries again after a loss, or when the sender fell behind; the best trial counts.
    PaceTried attempt(double per_s, bool confirming) {
        const Duration duration = options_.duration * (confirming ? pace_confirmation_trials : 1);
        PaceTried best{.pace = Pace::lossy};
        for (int i = 0; i < tries && best.pace != Pace::held; ++i) {
            if (i > 0 && now() - began_ > pace_patience_trials * options_.duration) break;
            PaceTrial trial = run(per_s, duration);
            if (received_signal() != 0 || trial.refused()) return {.pace = Pace::stopped};
            if (trial.unreported()) {
                show(trial, per_s, "not reported");
                continue;
            }
            const Pace pace = trial.loss() > options_.loss_max                        ? Pace::lossy
                              : per_s > 0 && unsent_share(trial.summary) > unsent_max ? Pace::slower
                                                                                      : Pace::held;
            show(trial, per_s, pace == Pace::held && confirming ? "confirmed" : name_of(pace));
            if (pace == Pace::lossy || (pace == Pace::slower && trial.sent_per_s() < best.sent_per_s)) continue;
            best = {pace, trial.sent_per_s()};
            if (confirming) confirmed_ = std::move(trial);
        }
        return best;
    }

    static const char* name_of(Pace pace) {
        return pace == Pace::held ? "passed" : pace == Pace::slower ? "slower" : "loss";
    }

    void show(const PaceTrial& trial, double per_s, const char* outcome) {
        Json event = {{"rate_asked", per_s > 0 ? Json(per_s) : Json()}, {"outcome", outcome}};
        for (const char* name : {"sent", "received", "back_lost", "slip_us"})
            if (trial.summary.contains(name)) event[name] = trial.summary[name];
        event["lost"] = trial.unreported() ? Json() : Json(trial.lost());
        event["rate_per_s"] = trial.sent_per_s();
        report_.event("trial", event);
        report_.progress(fmt::format("trial {:>2}  {:>15}  lost {:>9}  {}", trials_,
                                     grouped_rate_text(per_s > 0 ? per_s : trial.sent_per_s()),
                                     percent_text(trial.loss()), outcome));
    }

    /// A trial that sent something, unless a stall spoilt all attempts.
    PaceTrial run_unpaced() {
        PaceTrial trial = run(0, options_.duration);
        for (int i = 1; i < tries && trial.sent() == 0 && !trial.refused() && received_signal() == 0; ++i) {
            show(trial, 0, "nothing sent");
            trial = run(0, options_.duration);
        }
        return trial;
    }

    /// Notes it if the peer cannot be reached.
    bool unreachable(const PaceTrial& trial) const {
        const Json& summary = trial.summary;
        const bool silent = trial.sent() > 0 && ((options_.transport.reliable() && summary["confirmed"] == 0) ||
                                                 (options_.bidirectional && returned(summary) == 0));
        if (!trial.refused() && !silent && !trial.unreported()) return false;
        report_.note(fmt::format("{}: {}", to_text(target_),
                                 trial.refused() ? "unreachable"
                                 : silent        ? "no answer"
                                                 : "it does not report its counts, as `ringpost sink` does"));
        return true;
    }

    int trials() const { return trials_; }
    const PaceTrial& confirmed() const { return *confirmed_; }

  private:
    const LoadOptions& options_;
    const Agents& agents_;
    Report& report_;
    Address target_;
    Instant began_;
    int trials_ = 0;
    std::optional<PaceTrial> confirmed_;
};

std::string above_text(Pace above, double loss_max) {
    switch (above) {
        case Pace::slower: return "this machine cannot pace more; the receiver may keep up with more";
        case Pace::held: return "the kernel takes no more";
        default: return fmt::format("at a higher rate more than {} are lost", percent_text(loss_max));
    }
}

const char* above_name(Pace above) { return above == Pace::slower ? "pace" : above == Pace::held ? "kernel" : "loss"; }

PaceFound search_from(const LoadOptions& options, const PaceTrial& unpaced, LoadTrials& trials) {
    const double most = unpaced.sent_per_s();
    // If nothing is lost at full speed, no pace is better than none.
    const bool unpaced_holds = unpaced.loss() <= options.loss_max;
    if (unpaced.sent() == 0) return {.above = Pace::slower};
    const auto attempt = [&](double per_s, bool confirming) {
        return trials.attempt(unpaced_holds && per_s >= most ? 0 : rounded_pace(per_s), confirming);
    };
    const double least = std::max(most / pace_range, pace_datagrams_min / seconds(options.duration));
    return search_pace({.first = most * (1 - unpaced.loss()), .most = most, .least = std::min(least, most)}, attempt);
}

double bits_per_s(const Json& summary) {
    return ratio(summary["bytes_sent"].get<double>() * 8, summary["duration_s"].get<double>());
}

void print_found(const Report& report, const LoadOptions& options, const PaceTrial& unpaced, const PaceFound& found,
                 const LoadTrials& trials) {
    const Json& summary = unpaced.summary;
    report.print(fmt::format("{}{}, {}{}, gso {}; {} trials of {:g} s", sizes_text(options.sizes),
                             transport_text(options.transport), engines_text(options.threads),
                             summary["backend"].get<std::string>(), summary["gso"].get<bool>() ? "on" : "off",
                             trials.trials(), seconds(options.duration)));
    const std::string lost = unpaced.lost() == 0
                                 ? "none lost"
                                 : fmt::format("of which {} were lost{}", percent_text(unpaced.loss()),
                                               unpaced.lost_at_the_buffer() ? " at the receive buffer" : "");
    report.print(fmt::format("sent as fast as the kernel takes them:    {:>15}, {}",
                             grouped_rate_text(unpaced.sent_per_s()), lost));
    if (found.per_s == 0) {
        report.print(fmt::format("no rate without loss (under {}) was found", percent_text(options.loss_max)));
        return;
    }
    const PaceTrial& confirmed = trials.confirmed();
    report.print(fmt::format("highest rate without loss (under {}): {:>15}, {:.3f} Gbit/s; {} sent, {} lost",
                             percent_text(options.loss_max), grouped_rate_text(found.per_s),
                             bits_per_s(confirmed.summary) / 1e9, grouped(confirmed.sent()),
                             grouped(confirmed.lost())));
    report.print(above_text(found.above, options.loss_max));
    report.print(
        fmt::format("the first rate is the sender's, the second is what the receiver keeps up with; "
                    "--rate {} repeats it",
                    found.above == Pace::held ? "max" : pace_option(rounded_pace(found.per_s))));
}

}  // namespace

void check_find_max(const CLI::App& command, LoadOptions& options) {
    if (!options.find_max) return;
    for (const char* other :
         {"--out", "--strict", "--fail-if", "--start-at", "--prometheus", "--profile", "--burst", "--arrivals"})
        if (command.count(other) > 0) throw CLI::ValidationError(fmt::format("{}: not with --find-max", other));
    const bool asks = options.control && options.verify;
    if (!asks && !options.threads.self && !options.transport.reliable() && !options.bidirectional)
        throw CLI::ValidationError(
            "--find-max: the sender must know what was lost: not with --no-control, --no-verify or a payload unless "
            "with "
            "--self, --bidirectional, or --transport gtudp or native");
    if (command.count("--duration") == 0) options.duration = pace_trial;
    check_trial_duration(options.duration);
}

int find_max_load(const LoadOptions& options, const Agents& agents, Report& report) {
    if (!agents.alone()) throw Failure(Exit::usage, "--find-max: not under mpirun");
    LoadTrials trials(options, agents, report);
    const PaceTrial unpaced = trials.run_unpaced();
    PaceFound found{.stopped = true};
    if (received_signal() == 0 && !trials.unreachable(unpaced)) {
        trials.show(unpaced, 0, "unpaced");
        found = search_from(options, unpaced, trials);
        report.end_progress();
    }
    Json event = {{"found_per_s", found.per_s > 0 ? Json(found.per_s) : Json()},
                  {"loss_max", options.loss_max},
                  {"limited_by", found.stopped ? Json() : Json(above_name(found.above))},
                  {"unpaced_per_s", unpaced.sent_per_s()},
                  {"unpaced_sent", unpaced.sent()},
                  {"unpaced_lost", unpaced.lost()},
                  {"trials", trials.trials()},
                  {"backend", unpaced.summary["backend"]}};
    if (found.per_s > 0) event.update({{"sent", trials.confirmed().sent()}, {"lost", trials.confirmed().lost()}});
    if (!found.stopped) print_found(report, options, unpaced, found, trials);
    if (received_signal() != 0) report.print("interrupted before the search was complete");
    report.event("summary", event);
    return exit_code(found.stopped ? Exit::unreachable : found.per_s > 0 ? Exit::done : Exit::failed);
}

}  // namespace ringpost::apps
