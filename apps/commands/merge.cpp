// ringpost merge: combines several runs into one. Counters and histograms are added interval by interval, as if all
// runs had started together. Percentiles are those of the added histograms; nothing is averaged.

#include <fmt/core.h>

#include <algorithm>
#include <deque>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/runs/directory.hpp"
#include "apps/runs/environment.hpp"
#include "apps/runs/figures.hpp"
#include "apps/runs/reader.hpp"
#include "apps/runs/report_page.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

struct MergeOptions {
    std::vector<std::string> directories;
    std::string out;
    Report::Form form = Report::Form::text;
};

/// Options for how much to measure, not what.
constexpr const char* amounts[] = {"duration", "count", "warmup", "seed"};

void refuse_other_measurements(const KeptRun& run, const KeptRun& first) {
    std::vector<std::string> found = differences(run, first);
    std::erase_if(found, [](const std::string& text) {
        return std::ranges::any_of(amounts,
                                   [&](const char* name) { return text.starts_with(std::string(name) + " "); });
    });
    if (run.command != first.command)
        found.insert(found.begin(), fmt::format("{}, not {}", run.command, first.command));
    if (run.recordings != first.recordings) found.emplace_back("other histograms");
    if (!found.empty())
        throw Failure(Exit::usage,
                      fmt::format("{}: measured something else than {}: {}", run.path, first.path, found[0]));
}

/// Adds the n-th interval of each run in the n-th call.
class MergedIntervals {
  public:
    explicit MergedIntervals(const std::vector<KeptRun>& runs) : runs_(runs) {
        for (const KeptRun& run : runs)
            for (const std::string& name : run.recordings) readers_.emplace_back(run, name);
        sum_.histograms.resize(runs[0].recordings.size());
    }

    /// Returns false when no run has another interval.
    bool add_next() {
        bool any = false;
        std::size_t reader = 0;
        for (const KeptRun& run : runs_) {
            const bool has = row_ < run.series.size();
            for (Histogram& histogram : sum_.histograms) {
                const auto interval = readers_[reader++].next();
                if (interval.has_value() != has)
                    throw Failure(Exit::usage, run.path + ": series.csv and the .hlog files differ in their intervals");
                if (interval) histogram.merge(interval->histogram);
            }
            if (has) {
                sum_.add(run.series[row_].counted);
                sum_.elapsed_s = std::max(sum_.elapsed_s, run.series[row_].end_s);
            }
            any |= has;
        }
        ++row_;
        return any;
    }

    /// The sum so far.
    const Snapshot& sum() const { return sum_; }

  private:
    const std::vector<KeptRun>& runs_;
    std::deque<IntervalReader> readers_;
    std::size_t row_ = 0;
    Snapshot sum_;
};

/// Whole numbers among the results that are not counts.
constexpr const char* not_counts[] = {"seed", "burst"};

/// The whole numbers of an object, and those in objects down to `depth` levels below.
Json counts_in(const Json& object, int depth) {
    Json counts = Json::object();
    for (const auto& [name, value] : object.items()) {
        if (value.is_number_integer()) counts[name] = value;
        if (value.is_object() && depth > 0) counts[name] = counts_in(value, depth - 1);
    }
    return counts;
}

/// The counts among the results, including `counters`, where the peer's layers are one level deeper.
Json counts_of(const KeptRun& run) {
    Json counts = counts_in(run.results, 0);
    for (const char* name : not_counts) counts.erase(name);
    if (!counts.contains("runs")) counts["runs"] = 1;
    if (const auto found = run.results.find("counters"); found != run.results.end() && found->is_object())
        counts["counters"] = counts_in(*found, 2);
    return counts;
}

Json added_results(const std::vector<KeptRun>& runs, const Snapshot& sum) {
    const RunShape shape = runs[0].shape();
    Json merged = {{"runs", 0}};
    for (const KeptRun& run : runs) add_counts(merged, counts_of(run));
    merged["duration_s"] = sum.elapsed_s;
    merged["rate_per_s"] = ratio(static_cast<double>(sum.sent), sum.elapsed_s);
    for (std::size_t i = 0; i < sum.histograms.size(); ++i) {
        const std::string& name = runs[0].recordings[i];
        merged[name == "response" ? "rtt_us" : name + "_us"] = percentiles_us(sum.histograms[i]);
    }
    if (shape.receives) merged["lost_in"] = summary_json(shape, sum)["lost_in"];
    return merged;
}

int merge_command(const MergeOptions& options) {
    const Report report(options.form);
    std::vector<KeptRun> runs;
    for (const std::string& path : options.directories) {
        runs.push_back(read_run(path));
        refuse_other_measurements(runs.back(), runs.front());
    }
    std::optional<RunSeries> series;
    const Duration at = now() + unix_offset();
    if (!options.out.empty()) {
        make_run_directory(options.out);
        series.emplace(options.out, runs[0].shape(), seconds(at), utc_text(at));
    }
    MergedIntervals intervals(runs);
    while (intervals.add_next()) {
        if (series) series->take(intervals.sum());
    }
    const Json merged = added_results(runs, intervals.sum());
    if (series) {
        std::string unwritten = series->finish(intervals.sum());
        if (!write_run(options.out, runs[0].command, runs[0].configuration, runs[0].environment, merged))
            unwritten = "run.json";
        if (unwritten.empty() && !write_report_page(options.out)) unwritten = "report.html";
        if (!unwritten.empty())
            throw Failure(Exit::failed, fmt::format("--out {}: {}: cannot be written", options.out, unwritten));
    }
    const auto count = [&](const char* name) { return grouped(merged.value(name, std::uint64_t{0})); };
    report.print(fmt::format("{} runs of {}, {:.3f} s", runs.size(), runs[0].command, intervals.sum().elapsed_s));
    report.print(runs[0].shape().receives
                     ? fmt::format("sent {}  received {}  lost {}", count("sent"), count("received"), count("lost"))
                     : fmt::format("sent {}", count("sent")));
    for (std::size_t i = 0; i < runs[0].recordings.size(); ++i)
        report.print(fmt::format("{:<11} {}", runs[0].recordings[i], percentiles_text(intervals.sum().histograms[i])));
    report.event("summary", merged);
    return Exit::done;
}

}  // namespace

void add_merge(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("merge", "merge kept runs: add their histograms and counts");
    auto options = std::make_shared<MergeOptions>();
    command->add_option("DIR", options->directories, "directories written by --out")->required();
    begin_group(*command, "Output");
    add_out(*command, options->out,
            "write the merged run to this directory, which must be empty or new (default none)");
    add_json(*command, options->form);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost merge run/0 run/1 --out run/all"},
                        .exits = {Exit::failed},
                        .signals = false});
    command->callback([options, &chosen] { chosen = [options] { return merge_command(*options); }; });
}

}  // namespace ringpost::apps
