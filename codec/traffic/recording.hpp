#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <ringpost/time.hpp>

namespace ringpost::traffic {

/// When the datagrams of a capture were sent. After the last one the recording begins again, one mean gap later.
class Recording {
  public:
    /// `times` are not empty, begin with 0 and do not decrease. They pass `speed` times as fast.
    Recording(std::vector<Duration> times, double speed) : times_(std::move(times)), speed_(speed) {}

    /// From the start to datagram number `number`.
    Duration at(std::uint64_t number) const {
        const std::uint64_t lap = number / times_.size();
        const auto recorded = static_cast<double>(times_[number % times_.size()]);
        return passed(static_cast<double>(lap) * lap_ns() + recorded);
    }
    /// From the start to the second lap.
    Duration length() const { return passed(lap_ns()); }
    /// The mean rate.
    double per_s() const { return static_cast<double>(times_.size()) * 1e9 / static_cast<double>(length()); }

  private:
    /// At most 285 years.
    Duration passed(double recorded_ns) const { return static_cast<Duration>(std::min(recorded_ns / speed_, 9e18)); }
    double lap_ns() const {
        const auto last = static_cast<double>(times_.back());
        const double mean_gap = times_.size() > 1 ? last / static_cast<double>(times_.size() - 1) : 1e9;
        return last + std::max(mean_gap, 1'000.0);
    }

    std::vector<Duration> times_;
    double speed_;
};

}  // namespace ringpost::traffic
