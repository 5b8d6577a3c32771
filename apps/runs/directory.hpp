#pragma once

// What a measured run leaves behind (--out DIR):
//
//     run.json         configuration, environment and results, as apps/runs/run.schema.json says
//     events.ndjson    the events of --json, written as they happen
//     NAME.hlog        what was recorded as NAME ("response", "slip"), a line for each second: HdrHistogram's format
//     NAME.hgrm        its percentile spectrum, in microseconds: likewise
//     series.csv       a row for each second
//     report.html      all of it to look at, in one file

#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/runs/series.hpp"

namespace ringpost::apps {

/// Of a command whose runs can be kept.
struct RunOptions {
    std::string out;  ///< the directory; "": nothing is kept
    Json given;       ///< the command's options as they were given, by name: true for a flag, else the text
};

/// Adds --out, which takes any text but none.
void add_out(CLI::App& command, std::string& out, const std::string& help);

/// Adds --out. After parsing, note_given() fills in what was given to `command`.
void add_run(CLI::App& command, RunOptions& options);
void note_given(const CLI::App& command, RunOptions& options);

/// The options for one agent of several: a directory of its own in that of --out, called by its rank.
RunOptions of_agent(RunOptions options, std::size_t rank, std::size_t count);

/// Makes the directory of --out, and says whether it did; Failure if it is there and not empty, or cannot be made.
bool make_run_directory(const std::string& path);

/// Writes run.json; false if it could not be.
bool write_run(const std::string& path, const std::string& command, const Json& configuration, const Json& environment,
               const Json& results);

/// Keeps a run, or does nothing in all its calls when there is no --out. Opened before anything is measured, so that a
/// directory which cannot be used costs nobody a run: Failure if it is not empty or cannot be made.
class RunDirectory {
  public:
    /// `report` copies its events here until close(). Before threads and other ends are started.
    RunDirectory(const RunOptions& options, std::string command, Report& report);
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    /// Whether there is an --out.
    bool keeps() const { return !path_.empty(); }
    /// The run begins, and what it measures at `at`. Nothing is kept of one that fails before its first interval, so
    /// that the directory can be used again.
    void begin(const RunShape& shape, Instant at);
    /// What it has counted and recorded up to now: the end of an interval. From one thread at a time.
    void take(Snapshot now);
    /// The first interval begins here, and not before.
    void skip(const Snapshot& now);
    /// The run is over, with `end`. Writes everything; Failure if anything could not be.
    void close(Snapshot end, const Json& summary);

  private:
    RunSeries& series();

    std::string path_, command_;
    bool made_ = false;  ///< the directory, by this run
    Json given_;
    Report& report_;
    std::optional<RunShape> shape_;  ///< of a run that has begun
    Duration started_at_ = 0;        ///< since 1970
    std::ofstream events_;
    std::unique_ptr<RunSeries> series_;
};

}  // namespace ringpost::apps
