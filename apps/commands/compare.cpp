// ringpost compare: whether the second of two kept runs, or of two groups of them, is significantly worse.

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/runs/bootstrap.hpp"
#include "apps/runs/permutation.hpp"
#include "apps/runs/reader.hpp"

namespace ringpost::apps {
namespace {

struct CompareOptions {
    std::vector<std::string> runs;  ///< with side_mark between the sides
    double tolerance = 0.05;
    std::uint64_t seed = 1;
    Report::Form form = Report::Form::text;
};

/// Stands for the `--` between the two sides, which CLI11 would drop: ASCII's group separator.
constexpr const char* side_mark = "\x1d";

/// Fewer intervals do not show how much they vary.
constexpr std::size_t intervals_min = 5;

struct Compared {
    const char* name;
    const char* label;
    const char* percentile;  ///< its name among the results, or null
};
constexpr std::array<Compared, measures> compared{{{"rate_per_s", "rate, 1/s", nullptr},
                                                   {"loss", "loss, %", nullptr},
                                                   {"p50_us", "p50, us", "p50"},
                                                   {"p99_us", "p99, us", "p99"},
                                                   {"p999_us", "p99.9, us", "p999"}}};

/// One or more runs that measured the same.
struct RunGroup {
    std::vector<KeptRun> runs;
    std::vector<RunBlocks> blocks;
    std::vector<Measures> measured;

    std::size_t size() const { return runs.size(); }
    /// Whether the sender's lateness reaches a percentile, which may be longer for that reason alone.
    bool is_late(std::size_t measure) const {
        if (compared[measure].percentile == nullptr) return false;
        return std::ranges::any_of(runs, [&](const KeptRun& run) {
            const Json stands = run.results.value("stands", Json());
            return stands.is_object() && stands.value(compared[measure].percentile, Json(true)) == false;
        });
    }
    bool is_beyond_timeout(std::size_t measure) const {
        return std::ranges::any_of(blocks, [&](const RunBlocks& run) { return apps::is_beyond_timeout(run, measure); });
    }
};

struct Comparison {
    RunGroup first, second;
    std::array<Change, measures> changed;
    Measures chance;  ///< valid if the runs suffice

    bool runs_suffice() const { return std::min(first.size(), second.size()) >= judged_runs_min; }
    /// Whether the far end has reported what it received, in every run.
    bool far_known() const {
        const auto known = [](const KeptRun& run) { return run.far_known() == true; };
        return std::ranges::all_of(first.runs, known) && std::ranges::all_of(second.runs, known);
    }
    bool is_measured(std::size_t measure) const {
        const KeptRun& run = first.runs[0];
        if (measure == loss) return run.shape().receives || far_known();
        return measure == rate_per_s || !run.recordings.empty();
    }
};

enum class Verdict : std::uint8_t { not_worse, worse, cannot_tell };

/// Whether a change is worse than the tolerance and its interval excludes zero. Loss is compared with the tolerance as
/// a share of the first side's loss, so any significant loss is worse than none.
bool looks_worse(std::size_t measure, const Change& change, double tolerance) {
    const bool significant = more_is_worse(measure) ? change.low > 0 : change.high < 0;
    const double worse = more_is_worse(measure) ? change.change : -change.change;
    return significant && worse > (measure == loss ? tolerance * change.first : tolerance);
}

Verdict verdict_on(const Comparison& of, std::size_t measure, bool valid, double tolerance) {
    if (!looks_worse(measure, of.changed[measure], tolerance)) return Verdict::not_worse;
    if (!valid || !of.runs_suffice() || of.second.is_late(measure)) return Verdict::cannot_tell;
    constexpr double rounding = 1e-9;  // 1 of 20 is accepted
    return of.chance[measure] <= false_alarms_max + rounding ? Verdict::worse : Verdict::not_worse;
}

RunGroup read_group(const std::vector<std::string>& paths) {
    RunGroup side;
    for (const std::string& path : paths) {
        const KeptRun& run = side.runs.emplace_back(read_run(path));
        refuse_other_measurement(run, side.runs.front());
    }
    return side;
}

/// Those before and after side_mark. Two runs need none. At the start it marks the end of the options, as usual.
std::pair<RunGroup, RunGroup> read_sides(std::vector<std::string> paths) {
    if (paths.front() == side_mark) paths.erase(paths.begin());
    auto mark = std::ranges::find(paths, side_mark);
    if (mark == paths.end() && paths.size() == 2) mark = paths.insert(paths.begin() + 1, side_mark);
    if (mark == paths.end() || mark + 1 == paths.end())
        throw Failure(Exit::usage, "compare: expected two runs, or -- between two groups: A1 A2 A3 -- B1 B2 B3");
    return {read_group({paths.begin(), mark}), read_group({mark + 1, paths.end()})};
}

void refuse_incomparable(const RunGroup& first_side, const RunGroup& second_side) {
    const KeptRun &first = first_side.runs[0], &second = second_side.runs[0];
    if (first.command != second.command)
        throw Failure(Exit::usage, fmt::format("{}: is a run of {}, but {} of {}", second.path, second.command,
                                               first.path, first.command));
    if (first.recordings != second.recordings)
        throw Failure(Exit::usage, fmt::format("{}: has other histograms than {}", second.path, first.path));
    std::vector<KeptRun> all = first_side.runs;
    all.insert(all.end(), second_side.runs.begin(), second_side.runs.end());
    refuse_same_run(all);
    for (const RunGroup* group : {&first_side, &second_side})
        for (const KeptRun& run : group->runs)
            if (group->size() < judged_runs_min && run.series.size() < intervals_min)
                throw Failure(Exit::usage, fmt::format("{}: has {} intervals of a second; at least {} are needed",
                                                       run.path, run.series.size(), intervals_min));
}

void measure_group(RunGroup& side) {
    for (const KeptRun& run : side.runs) {
        const RunBlocks& blocks = side.blocks.emplace_back(blocks_of(run));
        if (!run.recordings.empty() && blocks.value_us.empty())
            throw Failure(Exit::usage, run.path + ": nothing was measured");
        side.measured.push_back(measures_of(blocks));
    }
}

Comparison compare_sides(const CompareOptions& options) {
    Comparison out;
    std::tie(out.first, out.second) = read_sides(options.runs);
    refuse_incomparable(out.first, out.second);
    measure_group(out.first);
    measure_group(out.second);
    out.changed = changes(out.first.blocks, out.second.blocks, options.seed);
    if (out.runs_suffice())
        out.chance = chances(out.first.measured, out.second.measured, options.tolerance, options.seed);
    return out;
}

/// Calls use(run) for each run of both sides.
template <class Use>
void for_each_run(const Comparison& of, const Use& use) {
    for (const RunGroup* side : {&of.first, &of.second})
        for (const KeptRun& run : side->runs) use(run);
}

/// `a: only 90 % of the rate was reached`
std::vector<std::string> invalid_runs(const Comparison& of) {
    std::vector<std::string> out;
    for_each_run(of, [&](const KeptRun& run) {
        if (!run.invalid_reason().empty()) out.push_back(fmt::format("{}: {}", run.path, run.invalid_reason()));
    });
    return out;
}

/// What differs from the first run in any other.
std::vector<std::string> other_environments(const Comparison& of) {
    std::vector<std::string> out;
    for_each_run(of, [&](const KeptRun& run) {
        for (const std::string& text : environment_differences(run, of.first.runs[0]))
            if (std::ranges::find(out, text) == out.end()) out.push_back(text);
    });
    return out;
}

std::vector<std::string> paths_of(const RunGroup& side) {
    std::vector<std::string> out;
    out.reserve(side.size());
    for (const KeptRun& run : side.runs) out.push_back(run.path);
    return out;
}

/// What can not be known from so few runs, or "".
std::string few_runs_text(const Comparison& of) {
    if (of.runs_suffice()) return "";
    const std::string runs = of.first.size() == 1 && of.second.size() == 1
                                 ? "one run a side"
                                 : fmt::format("{} and {} runs", of.first.size(), of.second.size());
    return fmt::format(
        "{} cannot show how much runs differ from each other, only how seconds within a run do; at "
        "least {} a side are needed: compare A1 A2 A3 -- B1 B2 B3",
        runs, judged_runs_min);
}

std::string resamples_text(const Comparison& of, std::uint64_t seed) {
    if (of.first.size() == 1 && of.second.size() == 1)
        return fmt::format("{} resamples of {} and {} blocks, seed {}", resamples, of.first.blocks[0].sent.size(),
                           of.second.blocks[0].sent.size(), seed);
    return fmt::format("{} resamples of {} and {} runs, seed {}", resamples, of.first.size(), of.second.size(), seed);
}

std::string row_text(const Comparison& of, std::size_t measure, Verdict verdict) {
    const Change& change = of.changed[measure];
    const double scale = measure == loss ? 100 : 1;
    const auto value_text = [&](const RunGroup& side, double value) {
        return fmt::format("{}{:.3f}", side.is_beyond_timeout(measure) ? "> " : "", value * scale);
    };
    constexpr const char* verdicts[] = {"", "  worse", "  cannot tell"};
    return fmt::format("{:<10} {:>14} {:>14} {:>+9.2f} {:<6}  {:>+8.2f} to {:>+8.2f}{}", compared[measure].label,
                       value_text(of.first, change.first), value_text(of.second, change.second), change.change * 100,
                       measure == loss ? "points" : "%", change.low * 100, change.high * 100,
                       verdicts[static_cast<std::size_t>(verdict)]);
}

Json row_json(const Comparison& of, std::size_t measure, Verdict verdict) {
    const Change& change = of.changed[measure];
    const auto value = [&](const RunGroup& side, double mean) {
        return side.is_beyond_timeout(measure) ? Json() : Json(mean);
    };
    Json out = {{"first", value(of.first, change.first)},
                {"second", value(of.second, change.second)},
                {"change", change.change},
                {"low", change.low},
                {"high", change.high},
                {"chance", of.runs_suffice() ? Json(of.chance[measure]) : Json()},
                {"regressed", verdict == Verdict::worse},
                {"cannot_tell", verdict == Verdict::cannot_tell}};
    if (of.first.is_beyond_timeout(measure) || of.second.is_beyond_timeout(measure))
        out["lost_beyond"] = std::max(of.first.blocks[0].timeout_us, of.second.blocks[0].timeout_us);
    return out;
}

int compare_command(const CompareOptions& options) {
    const Report report(options.form);
    const Comparison of = compare_sides(options);
    const std::vector<std::string> invalid = invalid_runs(of), environments = other_environments(of);
    const std::vector<std::string> different = differences(of.second.runs[0], of.first.runs[0]);
    Json summary = {{"first", of.first.runs[0].path},
                    {"second", of.second.runs[0].path},
                    {"first_runs", paths_of(of.first)},
                    {"second_runs", paths_of(of.second)},
                    {"different", different},
                    {"environment_different", environments},
                    {"invalid", invalid}};
    for (const std::string& text : invalid) report.print("INVALID: " + text);
    report.print(fmt::format("{:<10} {:>14} {:>14} {:>16}  {:>20}", "", "first", "second", "change", "95 % interval"));
    std::vector<std::string> worse, undecided, late;
    for (std::size_t i = 0; i < measures; ++i) {
        if (!of.is_measured(i)) continue;
        const Verdict verdict = verdict_on(of, i, invalid.empty(), options.tolerance);
        report.print(row_text(of, i, verdict));
        summary[compared[i].name] = row_json(of, i, verdict);
        if (verdict == Verdict::worse) worse.emplace_back(compared[i].label);
        if (verdict == Verdict::cannot_tell) undecided.emplace_back(compared[i].label);
        if (verdict == Verdict::cannot_tell && of.second.is_late(i))
            late.push_back(
                fmt::format("{}: the second may be worse by its sender's lateness alone", compared[i].label));
    }
    for (const std::string& text : late) report.print(text);
    for (const std::string& text : different) report.print("configured differently: " + text);
    for (const std::string& text : environments) report.print("different environment: " + text);
    report.print(resamples_text(of, options.seed));
    const std::string few_runs = few_runs_text(of);
    if (!few_runs.empty()) report.print(few_runs);
    const bool cannot_tell = !invalid.empty() || !undecided.empty();
    summary["tolerance"] = options.tolerance;
    summary["resamples"] = resamples;
    summary["seed"] = options.seed;
    summary["regressed"] = !worse.empty();
    summary["verdict"] = cannot_tell ? "cannot tell" : worse.empty() ? "not worse" : "worse";
    report.event("summary", summary);
    if (!invalid.empty()) {
        report.note("cannot tell: nothing can be concluded from an INVALID run");
    } else if (!undecided.empty()) {
        report.note(fmt::format("cannot tell whether it is worse: {}", fmt::join(undecided, "; ")));
    } else if (!worse.empty()) {
        report.note(fmt::format("worse by more than {:g} %: {}", options.tolerance * 100, fmt::join(worse, "; ")));
    }
    return cannot_tell ? Exit::cannot_tell : worse.empty() ? Exit::done : Exit::breach;
}

}  // namespace

void mark_sides(std::vector<std::string>& arguments) {
    if (arguments.size() < 2 || arguments[1] != "compare") return;
    const auto found = std::ranges::find(arguments, "--");
    if (found != arguments.end()) *found = side_mark;
}

void add_compare(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand(
        "compare", "compare kept runs; exit 3 if the second is significantly worse, 5 if that cannot be decided");
    auto options = std::make_shared<CompareOptions>();
    command
        ->add_option("DIR", options->runs,
                     "kept runs: A B, or several of each: A1 A2 A3 -- B1 B2 B3; A is the reference")
        ->required();
    begin_group(*command, "Verdict");
    add_parsed(*command, "--tolerance", options->tolerance, parse_chance,
               "relative change that is accepted (default 5%)");
    add_parsed(*command, "--seed", options->seed, parse_seed, "seed of the resampling (default 1)");
    add_json(*command, options->form);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost compare before after --tolerance 10%"},
                        .exits = {Exit::failed, Exit::breach, Exit::cannot_tell},
                        .signals = false});
    command->callback([options, &chosen] { chosen = [options] { return compare_command(*options); }; });
}

}  // namespace ringpost::apps
