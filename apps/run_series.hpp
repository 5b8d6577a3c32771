#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "codec/base/histogram.hpp"

namespace ringpost::apps {

/// The first line of series.csv.
inline constexpr char series_head[] =
    "elapsed_s,sent,received,lost,rate_per_s,p50_us,p99_us,max_us,cpu_percent,socket_dropped";

/// Everything a run has counted and recorded up to a moment.
struct RunSnapshot {
    double elapsed_s = 0;
    double cpu_s = 0;  ///< processor time of this process
    std::uint64_t sent = 0, received = 0, socket_dropped = 0;
    std::int64_t lost = 0;
    std::vector<Histogram> histograms;
};

/// Writes series.csv and a .hlog for each histogram: what lies between two snapshots is an interval. One is written
/// when the next has come, so that a short rest at the end becomes part of the last.
class RunSeries {
  public:
    /// `names` of the histograms, of which the first is the one in series.csv. `start_s` since 1970.
    RunSeries(const std::string& directory, std::vector<std::string> names, double start_s,
              const std::string& start_text);

    void take(RunSnapshot& snapshot);  ///< swaps it for another, whose memory can be used again
    /// The last one; writes the .hgrm files too. The name of a file that could not be written, "" if all could.
    std::string finish(RunSnapshot& snapshot);

  private:
    void write_interval(const RunSnapshot& until);

    std::string directory_;
    std::vector<std::string> names_;
    std::ofstream csv_;
    std::vector<std::ofstream> logs_;
    RunSnapshot written_, held_;
    bool holds_ = false;
};

}  // namespace ringpost::apps
