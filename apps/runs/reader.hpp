#pragma once

// Reads what RunDirectory has written. All of it may have been touched by anybody: what cannot be read is a Failure
// that names the file, and the line where there is one.

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "apps/runs/snapshot.hpp"
#include "codec/measure/histogram_log.hpp"

namespace ringpost::apps {

/// One row of series.csv; the counts are those of its interval.
struct SeriesRow {
    double elapsed_s = 0;  ///< at its end
    double length_s = 0;
    std::uint64_t sent = 0, received = 0, socket_dropped = 0, refused = 0;
    std::int64_t lost = 0;  ///< without what was only under way when the interval ended
    double cpu_percent = 0;
};

struct KeptRun {
    std::string path;
    std::string command;
    Json configuration, environment, results;
    std::vector<std::string> recordings;  ///< the names of its .hlog files, in the order of a run's
    std::vector<SeriesRow> series;        ///< as many rows as each .hlog has intervals

    /// What the command told when it ran.
    RunShape shape() const;
};

KeptRun read_run(const std::string& path);

/// Reads the intervals of one .hlog.
class IntervalReader {
  public:
    IntervalReader(const KeptRun& run, const std::string& recording);

    /// The next one; nothing after the last.
    std::optional<LoggedInterval> next();

  private:
    std::string path_;
    std::ifstream lines_;
    std::uint64_t line_number_ = 0;
};

/// In what two runs were configured differently: `rate 10k, not 5k`, a text for each option.
std::vector<std::string> differences(const KeptRun& run, const KeptRun& from);

}  // namespace ringpost::apps
