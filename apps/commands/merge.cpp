// ringpost merge: several runs as one. Counters and histograms are added, interval by interval from the start of each,
// as if the runs had gone on at the same time; percentiles are those of what was added. Nothing is averaged.

#include <fmt/core.h>

#include <algorithm>
#include <deque>

#include "apps/commands/commands.hpp"
#include "apps/measuring/monitor.hpp"
#include "apps/runs/directory.hpp"
#include "apps/runs/environment.hpp"
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

/// Options that say how much was measured, not what.
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

/// The runs' intervals side by side: the n-th call adds the n-th interval of each.
class MergedIntervals {
  public:
    explicit MergedIntervals(const std::vector<KeptRun>& runs) : runs_(runs) {
        for (const KeptRun& run : runs)
            for (const std::string& name : run.recordings) readers_.emplace_back(run, name);
        sum_.histograms.resize(runs[0].recordings.size());
    }

    /// False when no run has another.
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
            if (has) add(run.series[row_]);
            any |= has;
        }
        ++row_;
        return any;
    }

    /// All that was added so far.
    const Snapshot& sum() const { return sum_; }

  private:
    void add(const SeriesRow& row) {
        sum_.elapsed_s = std::max(sum_.elapsed_s, row.elapsed_s);
        sum_.cpu_s += row.cpu_percent / 100 * row.length_s;
        sum_.sent += row.sent;
        sum_.received += row.received;
        sum_.lost += row.lost;
        sum_.socket_dropped += row.socket_dropped;
        sum_.refused += row.refused;
    }

    const std::vector<KeptRun>& runs_;
    std::deque<IntervalReader> readers_;
    std::size_t row_ = 0;
    Snapshot sum_;
};

/// Whole numbers among the results that are no counts.
constexpr const char* not_counts[] = {"seed", "burst"};

/// The whole numbers among the results are counts, and are added.
Json added_results(const std::vector<KeptRun>& runs, const Snapshot& sum) {
    const auto whole = [](const KeptRun& run, const std::string& name, std::int64_t otherwise) {
        const auto found = run.results.find(name);
        return found != run.results.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
    };
    Json merged = {{"runs", 0}};
    for (const auto& [name, value] : runs[0].results.items()) {
        if (!value.is_number_integer() || std::ranges::find(not_counts, name) != std::end(not_counts)) continue;
        std::int64_t total = 0;
        for (const KeptRun& run : runs) total += whole(run, name, 0);
        merged[name] = total;
    }
    std::int64_t made_of = 0;
    for (const KeptRun& run : runs) made_of += whole(run, "runs", 1);
    merged["runs"] = made_of;
    merged["duration_s"] = sum.elapsed_s;
    merged["rate_per_s"] = ratio(static_cast<double>(sum.sent), sum.elapsed_s);
    for (std::size_t i = 0; i < sum.histograms.size(); ++i) {
        const std::string& name = runs[0].recordings[i];
        merged[name == "response" ? "rtt_us" : name + "_us"] = percentiles_us(sum.histograms[i]);
    }
    if (runs[0].shape().hears) merged["lost_in"] = loss_json(runs[0].shape(), sum);
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
    report.print(runs[0].shape().hears
                     ? fmt::format("sent {}  received {}  lost {}", count("sent"), count("received"), count("lost"))
                     : fmt::format("sent {}", count("sent")));
    for (std::size_t i = 0; i < runs[0].recordings.size(); ++i)
        report.print(fmt::format("{:<11} {}", runs[0].recordings[i], percentiles_text(intervals.sum().histograms[i])));
    report.event("summary", merged);
    return Exit::done;
}

}  // namespace

void add_merge(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("merge", "add the histograms and counts of kept runs");
    auto options = std::make_shared<MergeOptions>();
    command->add_option("DIR", options->directories, "directories that --out has made")->required();
    add_out(*command, options->out, "keep the sum in this directory, which must be empty or new");
    add_json(*command, options->form);
    command->callback([options, &chosen] { chosen = [options] { return merge_command(*options); }; });
}

}  // namespace ringpost::apps
