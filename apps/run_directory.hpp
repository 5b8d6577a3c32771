#pragma once

// What a measured run leaves behind (--out DIR):
//
//     run.json         configuration, environment and results, as apps/run.schema.json says
//     events.ndjson    the events of --json, written as they happen
//     NAME.hlog        what was recorded as NAME ("response", "slip"), a line for each second: HdrHistogram's format
//     NAME.hgrm        its percentile spectrum, in microseconds: likewise
//     series.csv       a row for each second
//     report.html      all of it to look at, in one file

#include <condition_variable>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apps/options.hpp"
#include "apps/report.hpp"
#include "apps/run_series.hpp"

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

/// Makes the directory of --out; Failure if it is there and not empty, or cannot be made.
void make_run_directory(const std::string& path);

/// Writes run.json; false if it could not be.
bool write_run(const std::string& path, const std::string& command, const Json& configuration, const Json& environment,
               const Json& results);

/// Keeps a run, or does nothing in all its calls when there is no --out. Opened before anything is measured, so that a
/// directory which cannot be used costs nobody a run: Failure if it is not empty or cannot be made.
class RunDirectory {
  public:
    /// What a run has counted since its start.
    struct Counts {
        std::uint64_t sent = 0, received = 0, socket_dropped = 0;
        std::int64_t lost = 0;  ///< what is still under way included
    };
    /// A histogram of everything since the start, and what it is called in the files.
    struct Recording {
        const char* name;
        const Histogram& histogram;
    };

    /// `report` copies its events here until close(). Before threads and other ends are started.
    RunDirectory(const RunOptions& options, std::string command, Report& report);
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    /// What to ask at each tick. Everything must live until close().
    void watch(const std::vector<Recording>& recordings, std::function<Counts()> counts);

    /// A second has passed: `elapsed` since the start. Copies the histograms and leaves the rest to another thread;
    /// when that is behind, or nothing was sent since the last tick, the interval grows instead.
    void tick(Duration elapsed);

    /// The run is over: `elapsed` is when its last was sent. Writes everything; Failure if anything could not be.
    void close(Duration elapsed, const Json& summary);

  private:
    void fill(RunSnapshot& snapshot, Duration elapsed) const;
    void write_on(const std::stop_token& stop);

    std::string path_, command_;
    Json given_;
    Report& report_;
    Duration started_at_ = 0;  ///< since 1970
    std::string cores_;        ///< that this process may use, before anything is pinned
    std::ofstream events_;
    std::vector<const Histogram*> histograms_;
    std::function<Counts()> counts_;
    std::unique_ptr<RunSeries> series_;
    RunSnapshot last_;  ///< without its histograms
    std::mutex mutex_;
    std::condition_variable_any handed_over_;
    RunSnapshot handed_;
    bool waiting_ = false;  ///< handed_ is the writer's
    std::jthread writer_;   ///< last: ended before what it uses
};

}  // namespace ringpost::apps
