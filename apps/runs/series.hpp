#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// A shorter interval is merged with its neighbour: its rates would be mostly chance.
constexpr double interval_s_min = 0.5;

/// Writes series.csv and a .hlog for each histogram, with one row per interval between two snapshots. A row is written
/// when the next snapshot arrives, so a short remainder at the end extends the last interval.
class RunSeries {
  public:
    /// series.csv has the percentiles of the first of the shape's histograms. `start_s` counts from 1970.
    RunSeries(const std::string& directory, RunShape shape, double start_s, const std::string& start_text);

    void take(Snapshot snapshot);
    /// Starts the first interval here.
    void skip(const Snapshot& snapshot) { written_ = snapshot; }
    /// Takes the last snapshot and writes the .hgrm files. Returns the name of a file that could not be written, or "".
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
