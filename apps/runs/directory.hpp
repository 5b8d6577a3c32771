#pragma once

// The files of a measured run (--out DIR):
//
//     run.json         configuration, environment and results; see apps/runs/run.schema.json
//     events.ndjson    the events of --json, written as they happen
//     NAME.hlog        the histogram NAME ("response", "slip"), one line per second, in HdrHistogram's format
//     NAME.hgrm        its percentile spectrum in microseconds, in HdrHistogram's format
//     series.csv       one row per second; apps/runs/figures.hpp has the columns
//     report.html      charts of everything, in one file

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/runs/series.hpp"

namespace ringpost::apps {

struct RunOptions {
    std::string out;  ///< the directory; "" writes nothing
    Json given;       ///< the command's options as given, by name: true for a flag, otherwise the text
};

/// Adds --out, which rejects an empty text.
void add_out(CLI::App& command, std::string& out, const std::string& help);

/// Adds --out. After parsing, note_given() stores the options given to `command`.
void add_run(CLI::App& command, RunOptions& options);
void note_given(const CLI::App& command, RunOptions& options);

/// The options of one agent: if there are several, each has a subdirectory of --out, named by its rank.
RunOptions of_agent(RunOptions options, std::size_t rank, std::size_t count);

/// Creates the directory of --out. Returns false if it existed; throws Failure if it is not empty or cannot be created.
bool make_run_directory(const std::string& path);

/// The members of run.json, but for its format and its id, which is random.
struct RunFile {
    std::string command;
    Json configuration, environment, results;
    std::vector<std::string> merged_from;  ///< the ids of the runs that it adds up
};

/// Writes run.json. Returns false on failure.
bool write_run(const std::string& path, const RunFile& run);

/// Writes the files of a run; without --out all calls do nothing. It is opened before the run, so that an unusable
/// directory does not waste one: Failure if it is not empty or cannot be created.
class RunDirectory {
  public:
    /// `report` copies its events here until close(). Create it before any thread.
    RunDirectory(const RunOptions& options, std::string command, Report& report);
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    bool keeps() const { return !path_.empty(); }
    const std::string& path() const { return path_; }
    /// Starts the run, whose measurement begins at `at`; reads what describes the machine. A run that fails before its
    /// first interval leaves no files, so the directory can be used again. `near` is a local address that the datagrams
    /// pass, if known.
    void begin(const RunShape& shape, Instant at, const Address& near = {});
    /// Ends an interval. From one thread at a time.
    void take(Snapshot now);
    /// Starts the first interval here.
    void skip(const Snapshot& now);
    /// Ends the run and writes everything. Throws Failure if anything cannot be written.
    void close(Snapshot end, const Json& summary);

  private:
    RunSeries& series();

    std::string path_, command_;
    bool made_ = false;  ///< whether this run has created the directory
    Json given_, environment_;
    Report& report_;
    std::optional<RunShape> shape_;  ///< set once the run has begun
    Duration started_at_ = 0;        ///< since 1970
    std::ofstream events_;
    std::unique_ptr<RunSeries> series_;
};

}  // namespace ringpost::apps
