// ringpost compare: whether the second of two kept runs is significantly worse than the first.

#include <fmt/core.h>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/runs/bootstrap.hpp"
#include "apps/runs/reader.hpp"

namespace ringpost::apps {
namespace {

struct CompareOptions {
    std::string first, second;
    double tolerance = 0.05;
    std::uint64_t seed = 1;
    Report::Form form = Report::Form::text;
};

/// Fewer intervals do not show how much they vary.
constexpr std::size_t intervals_min = 5;

struct Compared {
    const char* name;
    const char* label;
    bool more_is_worse;
};
constexpr std::array<Compared, measures> compared{{{"rate_per_s", "rate, 1/s", false},
                                                   {"loss", "loss, %", true},
                                                   {"p50_us", "p50, us", true},
                                                   {"p99_us", "p99, us", true},
                                                   {"p999_us", "p99.9, us", true}}};

/// Whether a change is significant and worse than the tolerance. Loss is compared with the tolerance as a share of the
/// first run's loss, so any significant loss is worse than none.
bool is_regression(std::size_t measure, const Change& change, double tolerance) {
    const bool significant = compared[measure].more_is_worse ? change.low > 0 : change.high < 0;
    const double worse = compared[measure].more_is_worse ? change.change : -change.change;
    const double allowed = measure == loss ? tolerance * change.first : tolerance;
    return significant && worse > allowed;
}

KeptRun read_for_comparison(const std::string& path) {
    KeptRun run = read_run(path);
    if (run.series.size() < intervals_min)
        throw Failure(Exit::usage, fmt::format("{}: has {} intervals of a second; at least {} are needed", path,
                                               run.series.size(), intervals_min));
    return run;
}

std::string row_text(std::size_t measure, const Change& change) {
    const double scale = measure == loss ? 100 : 1;
    const char* unit = measure == loss ? "points" : "%";
    return fmt::format("{:<10} {:>14.3f} {:>14.3f} {:>+9.2f} {:<6}  {:>+8.2f} to {:>+8.2f}", compared[measure].label,
                       change.first * scale, change.second * scale, change.change * 100, unit, change.low * 100,
                       change.high * 100);
}

int compare_command(const CompareOptions& options) {
    const Report report(options.form);
    const KeptRun first = read_for_comparison(options.first);
    const KeptRun second = read_for_comparison(options.second);
    if (first.command != second.command)
        throw Failure(Exit::usage, fmt::format("{}: is a run of {}, but {} of {}", second.path, second.command,
                                               first.path, first.command));
    if (first.recordings != second.recordings)
        throw Failure(Exit::usage, fmt::format("{}: has other histograms than {}", second.path, first.path));
    const RunBlocks first_blocks = blocks_of(first), second_blocks = blocks_of(second);
    for (const auto& [run, blocks] : {std::pair{&first, &first_blocks}, {&second, &second_blocks}})
        if (!run->recordings.empty() && blocks->value_us.empty())
            throw Failure(Exit::usage, run->path + ": nothing was measured");
    const auto found = changes(first_blocks, second_blocks, options.seed);

    Json summary = {{"first", first.path}, {"second", second.path}, {"different", differences(second, first)}};
    report.print(fmt::format("{:<10} {:>14} {:>14} {:>16}  {:>20}", "", "first", "second", "change", "95 % interval"));
    std::string regressions;
    for (std::size_t i = 0; i < measures; ++i) {
        const bool timed = i == p50_us || i == p99_us || i == p999_us;
        if ((i == loss && !first.shape().receives) || (timed && first.recordings.empty())) continue;
        const bool regressed = is_regression(i, found[i], options.tolerance);
        report.print(row_text(i, found[i]) + (regressed ? "  worse" : ""));
        summary[compared[i].name] = {{"first", found[i].first},   {"second", found[i].second},
                                     {"change", found[i].change}, {"low", found[i].low},
                                     {"high", found[i].high},     {"regressed", regressed}};
        if (regressed) regressions += (regressions.empty() ? "" : "; ") + std::string(compared[i].label);
    }
    for (const std::string& text : differences(second, first)) report.print("configured differently: " + text);
    report.print(fmt::format("{} resamples of {} and {} blocks, seed {}", resamples, first_blocks.sent.size(),
                             second_blocks.sent.size(), options.seed));
    summary["tolerance"] = options.tolerance;
    summary["resamples"] = resamples;
    summary["seed"] = options.seed;
    summary["regressed"] = !regressions.empty();
    report.event("summary", summary);
    if (regressions.empty()) return Exit::done;
    report.note(fmt::format("worse by more than {:g} %: {}", options.tolerance * 100, regressions));
    return Exit::breach;
}

}  // namespace

void add_compare(CLI::App& root, Command& chosen) {
    CLI::App* command =
        root.add_subcommand("compare", "compare two kept runs; exit 3 if the second is significantly worse");
    auto options = std::make_shared<CompareOptions>();
    command->add_option("FIRST", options->first, "directory written by --out, the reference")->required();
    command->add_option("SECOND", options->second, "directory written by --out, to compare with FIRST")->required();
    begin_group(*command, "Verdict");
    add_parsed(*command, "--tolerance", options->tolerance, parse_chance,
               "relative change that is accepted (default 5%)");
    add_parsed(*command, "--seed", options->seed, parse_seed, "seed of the resampling (default 1)");
    add_json(*command, options->form);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost compare before after --tolerance 10%"},
                        .exits = {Exit::failed, Exit::breach},
                        .signals = false});
    command->callback([options, &chosen] { chosen = [options] { return compare_command(*options); }; });
}

}  // namespace ringpost::apps
