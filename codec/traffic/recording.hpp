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
        return static_cast<Duration>((static_cast<double>(lap) * lap_ns() + recorded) / speed_);
    }
    /// From the start to the second lap.
    Duration length() const { return static_cast<Duration>(lap_ns() / speed_); }
    /// The mean rate.
    double per_s() const { return static_cast<double>(times_.size()) * 1e9 / static_cast<double>(length()); }

  private:
    double lap_ns() const {
        const auto last = static_cast<double>(times_.back());
        const double mean_gap = times_.size() > 1 ? last / static_cast<double>(times_.size() - 1) : 1e9;
        return last + std::max(mean_gap, 1'000.0);
    }

    std::vector<Duration> times_;
    double speed_;
};

}  // namespace ringpost::traffic
