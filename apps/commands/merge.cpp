// ringpost merge: combines several runs into one. Counters and histograms are added interval by interval, as if all
// runs had started together. Percentiles are those of the added histograms; nothing is averaged.

#include <fmt/core.h>

#include <algorithm>
#include <deque>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/measuring/verdict.hpp"
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

/// Whole numbers among the results that are not counts, nor are times.
constexpr const char* not_counts[] = {"seed", "burst"};
bool is_count(const std::string& name) {
    return std::ranges::find(not_counts, name) == std::end(not_counts) && !name.ends_with("_us") &&
           !name.ends_with("_s");
}

/// The whole numbers of an object, and those in objects down to `depth` levels below.
Json counts_in(const Json& object, int depth) {
    Json counts = Json::object();
    for (const auto& [name, value] : object.items()) {
        if (value.is_number_integer() && is_count(name)) counts[name] = value;
        if (value.is_object() && depth > 0) counts[name] = counts_in(value, depth - 1);
    }
    return counts;
}

/// The counts among the results, including `counters`, where the peer's layers are one level deeper.
Json counts_of(const KeptRun& run) {
    Json counts = counts_in(run.results, 0);
    if (!counts.contains("runs")) counts["runs"] = 1;
    for (const auto& [name, depth] : {std::pair{"statuses", 0}, {"counters", 2}})
        if (const auto found = run.results.find(name); found != run.results.end() && found->is_object())
            counts[name] = counts_in(*found, depth);
    return counts;
}

/// What the far ends of loads have received is known if each has reported it.
void settle_far_counts(Json& merged, const std::vector<KeptRun>& runs) {
    if (!runs[0].far_known()) return;
    const bool known = std::ranges::all_of(runs, [](const KeptRun& run) { return run.far_known() == true; });
    merged["far_known"] = known;
    if (known) return;
    for (const char* name : {"received", "lost", "duplicate", "reordered", "corrupt"}) merged.erase(name);
}

/// INVALID if a run is, for the reasons of all; and the breached and undecided bounds of each. Runs of earlier versions
/// have neither.
void add_verdicts(Json& merged, const std::vector<KeptRun>& runs) {
    for (const KeptRun& run : runs) {
        const bool judged = run.results.contains("valid");
        if (judged && !merged.contains("valid")) merged["valid"] = true;
        const std::string reason = run.invalid_reason();
        if (!reason.empty()) add_invalid(merged, fmt::format("{}: {}", run.path, reason));
        for (const char* name : {"breached", "undecided"})
            for (const Json& each : run.results.value(name, Json::array()))
                if (each.is_string())
                    merged[name].push_back(fmt::format("{}: {}", run.path, printable(each.get<std::string>())));
    }
}

/// The probes of all runs that were not answered. A percentile among them is at least the longest timeout.
LostProbes lost_in(const std::vector<KeptRun>& runs) {
    LostProbes out;
    for (const KeptRun& run : runs) {
        out.count += run.unanswered();
        out.timeout = std::max(out.timeout, static_cast<Duration>(run.timeout_us() * 1e3));
    }
    return out;
}

const Histogram* recorded(const std::vector<std::string>& recordings, const Snapshot& sum, const char* name) {
    const auto found = std::ranges::find(recordings, name);
    return found == recordings.end() ? nullptr : &sum.histograms[static_cast<std::size_t>(found - recordings.begin())];
}

/// The member of the results that has a histogram's percentiles.
std::string member_of_recording(const std::string& name) { return name == "response" ? "rtt_us" : name + "_us"; }

Json added_results(const std::vector<KeptRun>& runs, const Snapshot& sum) {
    const RunShape shape = runs[0].shape();
    Json merged = {{"runs", 0}};
    for (const KeptRun& run : runs) add_counts(merged, counts_of(run));
    settle_far_counts(merged, runs);
    merged["duration_s"] = sum.elapsed_s;
    merged["rate_per_s"] = ratio(static_cast<double>(sum.sent), sum.elapsed_s);
    const LostProbes lost = lost_in(runs);
    const std::vector<std::string>& recordings = runs[0].recordings;
    for (std::size_t i = 0; i < sum.histograms.size(); ++i)
        merged[member_of_recording(recordings[i])] =
            percentiles_us(sum.histograms[i], ranks_lost(recordings[i]) ? lost : LostProbes{});
    if (shape.receives) merged["lost_in"] = summary_json(shape, sum)["lost_in"];
    if (lost.count > 0) merged["timeout_us"] = static_cast<double>(lost.timeout) / 1e3;
    const Histogram *response = recorded(recordings, sum, "response"), *service = recorded(recordings, sum, "service");
    if (response != nullptr && service != nullptr) judge_lateness(merged, *response, *service, lost.count);
    add_verdicts(merged, runs);
    name_both_ways(merged);
    return merged;
}

std::vector<std::string> parts_of(const std::vector<KeptRun>& runs) {
    std::vector<std::string> out;
    for (const KeptRun& run : runs) {
        if (run.merged_from.empty()) out.push_back(run.id);
        out.insert(out.end(), run.merged_from.begin(), run.merged_from.end());
    }
    return out;
}

std::vector<KeptRun> read_alike(const std::vector<std::string>& paths) {
    std::vector<KeptRun> runs;
    for (const std::string& path : paths) {
        runs.push_back(read_run(path));
        refuse_other_measurement(runs.back(), runs.front());
    }
    refuse_same_run(runs);
    return runs;
}

void print_merged(const Report& report, const std::vector<KeptRun>& runs, const Snapshot& sum, const Json& merged) {
    const auto count = [&](const char* name) { return grouped(merged.value(name, std::uint64_t{0})); };
    report.print(
        fmt::format("{} runs of {}, {:.3f} s", runs.size(), runs[0].command, merged["duration_s"].get<double>()));
    report.print(runs[0].shape().receives
                     ? fmt::format("sent {}  received {}  lost {}", count("sent"), count("received"), count("lost"))
                     : fmt::format("sent {}", count("sent")));
    if (merged.value("far_known", false))
        report.print(fmt::format("received {}  lost {}, as the sinks report", count("received"), count("lost")));
    for (const KeptRun& run : runs)
        if (run.far_known() == false)
            report.print(fmt::format("received  unknown in {}: the other end has not reported its counts", run.path));
    const LostProbes lost = lost_in(runs);
    for (std::size_t i = 0; i < sum.histograms.size(); ++i) {
        const std::string& name = runs[0].recordings[i];
        report.print(fmt::format("{:<11} {}", name,
                                 percentiles_text(sum.histograms[i], ranks_lost(name) ? lost : LostProbes{})));
    }
    if (merged.contains("stands")) report.print("lateness    " + lateness_text(merged));
    std::vector<std::string> environments;
    for (const KeptRun& run : runs)
        for (const std::string& text : environment_differences(run, runs[0]))
            if (std::ranges::find(environments, text) == environments.end()) environments.push_back(text);
    for (const std::string& text : environments) report.print("different environment: " + text);
    if (!merged.value("valid", true)) report.print("INVALID: " + merged["invalid_reason"].get<std::string>());
    for (const Json& text : merged.value("breached", Json::array())) report.print("FAILED: " + text.get<std::string>());
    for (const Json& text : merged.value("undecided", Json::array()))
        report.print("CANNOT TELL: " + text.get<std::string>());
}

int merge_command(const MergeOptions& options) {
    const Report report(options.form);
    const std::vector<KeptRun> runs = read_alike(options.directories);
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
        if (!write_run(options.out,
                       {runs[0].command, runs[0].configuration, runs[0].environment, merged, parts_of(runs)}))
            unwritten = "run.json";
        if (unwritten.empty() && !write_report_page(options.out)) unwritten = "report.html";
        if (!unwritten.empty())
            throw Failure(Exit::failed, fmt::format("--out {}: {}: cannot be written", options.out, unwritten));
    }
    print_merged(report, runs, intervals.sum(), merged);
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
