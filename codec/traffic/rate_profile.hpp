#pragma once

#include <optional>
#include <span>
#include <vector>

#include <ringpost/time.hpp>

namespace ringpost::traffic {

/// At so long after the start, so many per second; between two points the rate changes evenly.
struct RatePoint {
    Duration at = 0;
    double rate_per_s = 0;
};

/// A rate that changes over time: steps (two points at one time), ramps and bursts.
class RateProfile {
  public:
    /// The points, by time, from 0 on; nothing is due before the first or after the last. Nothing when there are fewer
    /// than two, times go back, a rate is below 0 or not finite, or nothing would ever be due.
    static std::optional<RateProfile> make(std::span<const RatePoint> points);

    Duration end() const { return points_.back().at; }
    double highest_rate() const;
    /// How many are due in all.
    double total() const;
    /// When `count` (0 or more) more are due than at `from`; never when the profile has ended before. In fractions of a
    /// nanosecond, so that what is asked step by step does not drift.
    std::optional<double> after(double from_ns, double count) const;

  private:
    explicit RateProfile(std::span<const RatePoint> points) : points_(points.begin(), points.end()) {}

    std::vector<RatePoint> points_;
};

}  // namespace ringpost::traffic
