#pragma once

#include <optional>
#include <span>
#include <vector>

#include <ringpost/time.hpp>

namespace ringpost::traffic {

/// The rate at a time after the start; linear between two points.
struct RatePoint {
    Duration at = 0;
    double rate_per_s = 0;
};

/// A rate that changes over time in steps (two points at one time), ramps and bursts.
class RateProfile {
  public:
    /// `points` are ordered by time, starting at 0 or later. Nothing is due before the first or after the last. Returns
    /// nullopt if there are fewer than two, times decrease, a rate is negative or not finite, or all rates are 0.
    static std::optional<RateProfile> make(std::span<const RatePoint> points);

    Duration end() const { return points_.back().at; }
    double highest_rate() const;
    /// Total number of datagrams due.
    double total() const;
    /// Time at which `count` (>= 0) more datagrams are due than at `from_ns`; nullopt if the profile ends before. Uses
    /// fractions of a nanosecond so that repeated calls do not drift.
    std::optional<double> after(double from_ns, double count) const;

  private:
    explicit RateProfile(std::span<const RatePoint> points) : points_(points.begin(), points.end()) {}

    std::vector<RatePoint> points_;
};

}  // namespace ringpost::traffic
