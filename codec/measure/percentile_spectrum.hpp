#pragma once

#include <string>
#include <vector>

#include "codec/measure/histogram.hpp"

namespace ringpost {

/// A point of the percentile spectrum: `count` durations, at least `level` percent of all, do not exceed value_ns.
struct SpectrumPoint {
    double level = 0;
    Duration value_ns = 0;
    std::uint64_t count = 0;
};

/// Points from 0 to 100 percent, with `ticks` points each time the remaining distance to 100 halves. Empty for an empty
/// histogram. Source: PercentileIterator of HdrHistogram.
std::vector<SpectrumPoint> percentile_spectrum(const Histogram& histogram, int ticks = 5);

/// The spectrum as text (a .hgrm file), as printed by outputPercentileDistribution of HdrHistogram, with durations in
/// units of `unit_ns` (1e3: microseconds).
std::string percentile_spectrum_text(const Histogram& histogram, double unit_ns);

}  // namespace ringpost
