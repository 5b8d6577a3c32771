#pragma once

#include <algorithm>

#include <ringpost/time.hpp>
#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {

/// Round-trip time of one path. Source: RFC 9002, section 5.
class Rtt {
  public:
    /// `latest`: from the sending of the largest newly acknowledged packet until its acknowledgement arrived.
    /// `ack_delay`: what the peer reports it waited, already limited to what it may wait.
    void sample(Duration latest, Duration ack_delay) {
        latest_ = std::max<Duration>(latest, 1);
        if (smoothed_ == 0) {
            min_ = smoothed_ = latest_;
            variation_ = latest_ / 2;
            return;
        }
        min_ = std::min(min_, latest_);
        const Duration adjusted = latest_ >= min_ + ack_delay ? latest_ - ack_delay : latest_;
        const Duration difference = smoothed_ > adjusted ? smoothed_ - adjusted : adjusted - smoothed_;
        variation_ += (difference - variation_) / 4;
        smoothed_ += (adjusted - smoothed_) / 8;
    }

    /// Whether there has been a sample. Without one, `smoothed` and `variation` are those of an assumed round trip.
    bool known() const { return smoothed_ != 0; }
    Duration latest() const { return latest_; }
    Duration min() const { return min_; }
    Duration smoothed() const { return known() ? smoothed_ : limits::rtt_initial; }
    Duration variation() const { return known() ? variation_ : limits::rtt_initial / 2; }

    /// The shortest time that timers distinguish.
    Duration granularity() const {
        return known() && smoothed_ < millisecond ? limits::granularity_of_short_paths : limits::granularity;
    }

    /// RFC 9002, 6.2.1, without backing off.
    Duration probe_timeout(Duration ack_delay_max) const {
        return smoothed() + std::max(4 * variation(), granularity()) + ack_delay_max;
    }

    /// RFC 9002, 6.1.2: 9/8 of the round trip; at least `late` after it, which packets are known to be late.
    Duration loss_delay(Duration late) const {
        const Duration longest = std::max(smoothed(), latest_);
        return std::max({longest + longest / 8, longest + late, granularity()});
    }

    /// RFC 9002, 7.6.1.
    Duration persistent_duration(Duration ack_delay_max) const {
        return probe_timeout(ack_delay_max) * limits::persistent_timeouts;
    }

  private:
    Duration latest_ = 0, min_ = 0, smoothed_ = 0, variation_ = 0;
};

}  // namespace ringpost::recovery
