#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// The first line of series.csv.
inline constexpr char series_head[] =
    "elapsed_s,sent,received,lost,rate_per_s,p50_us,p99_us,max_us,cpu_percent,socket_dropped,refused,"
    "lost_receive_buffer,lost_path";

/// Writes series.csv and a .hlog for each histogram: what lies between two snapshots is an interval. One is written
/// when the next has come, so that a short rest at the end becomes part of the last.
class RunSeries {
  public:
    /// The first of the shape's histograms is the one in series.csv. `start_s` since 1970.
    RunSeries(const std::string& directory, RunShape shape, double start_s, const std::string& start_text);

    void take(Snapshot snapshot);
    /// The first interval begins here.
    void skip(const Snapshot& snapshot) { written_ = snapshot; }
    /// The last one; writes the .hgrm files too. The name of a file that could not be written, "" if all could.
    std::string finish(Snapshot end);

  private:
    void write_interval(const Snapshot& until);

    std::string directory_;
    RunShape shape_;
    std::ofstream csv_;
    std::vector<std::ofstream> logs_;
    Snapshot written_;
    std::optional<Snapshot> held_;
};

}  // namespace ringpost::apps
