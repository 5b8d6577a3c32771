#pragma once

// Reads what RunDirectory has written. The files are untrusted input: an error is a Failure that names the file and,
// in a text file, the line.

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "apps/runs/snapshot.hpp"
#include "codec/measure/histogram_log.hpp"

namespace ringpost::apps {

/// A line of series.csv.
struct SeriesRow {
    double end_s = 0;  ///< of the interval, from the start of the run
    Snapshot counted;  ///< in the interval, without histograms; `lost` excludes what was only in flight at its end

    double length_s() const { return counted.elapsed_s; }
};

/// series.csv. Its first line decides which columns there are and their order; unknown ones are ignored. Reads what
/// spreadsheets make of it, too: a byte order mark, CR LF, quoted fields, empty lines at the end.
/// `sends` is false for a run that only received: each row's `sent` is then what it knows to have been sent to it.
std::vector<SeriesRow> read_series(const std::string& path, bool sends = true);

struct KeptRun {
    std::string path;
    /// Random, or derived from the content where run.json has none. A copy of a run has the same.
    std::string id;
    std::vector<std::string> merged_from;  ///< the ids of the runs that it adds up
    std::string command;
    Json configuration, environment, results;
    std::vector<std::string> recordings;  ///< the names of its .hlog files, in the order of RunShape::histograms
    std::vector<SeriesRow> series;        ///< each .hlog has as many intervals

    /// The shape that the command had.
    RunShape shape() const;
    /// Why the run is INVALID, or "".
    std::string invalid_reason() const;
    /// A load whose far end counts: whether it has reported; nullopt: none was asked.
    std::optional<bool> far_known() const;
    /// What its percentiles of the response count as lost, i.e. as longer than timeout_us(): every unanswered probe.
    std::uint64_t unanswered() const;
    double timeout_us() const;
};

KeptRun read_run(const std::string& path);

/// Throws a Failure that names two of the runs if they are the same, or one is part of the other.
void refuse_same_run(const std::vector<KeptRun>& runs);
/// Throws a Failure if a run measured something else than the first, apart from for how long.
void refuse_other_measurement(const KeptRun& run, const KeptRun& first);

/// Reads the intervals of one .hlog.
class IntervalReader {
  public:
    IntervalReader(const KeptRun& run, const std::string& recording);

    /// The next interval, or nothing after the last.
    std::optional<LoggedInterval> next();

  private:
    std::string path_;
    std::ifstream lines_;
    std::uint64_t line_number_ = 0;
};

/// The options that differ between two runs, each as a text: `rate 10k, not 5k`.
std::vector<std::string> differences(const KeptRun& run, const KeptRun& from);

/// The properties of host and program that differ, as far as both runs have them: `kernel 6.1, not 6.6`.
std::vector<std::string> environment_differences(const KeptRun& run, const KeptRun& from);

}  // namespace ringpost::apps
