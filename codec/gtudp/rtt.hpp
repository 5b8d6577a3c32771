#pragma once

#include <algorithm>

#include <ringpost/time.hpp>

namespace ringpost::gtudp {

/// Round-trip time estimator and retransmission timeout for one peer. Source: RFC 6298, section 2.
class RttEstimator {
  public:
    /// `rtt` must come from an exchange that was sent only once (Karn's algorithm; RFC 6298, section 3).
    void sample(Duration rtt) {
        rtt = std::max<Duration>(rtt, 1);
        if (smoothed_ == 0) {
            smoothed_ = rtt;
            variation_ = rtt / 2;
            return;
        }
        const Duration difference = smoothed_ > rtt ? smoothed_ - rtt : rtt - smoothed_;
        variation_ += (difference - variation_) / 4;
        smoothed_ += (rtt - smoothed_) / 8;
    }

    /// 0 before the first sample.
    Duration smoothed() const { return smoothed_; }

    /// Retransmission timeout, clamped to `min` and `max`. Requires a sample.
    Duration timeout(Duration min, Duration max) const { return std::clamp(smoothed_ + 4 * variation_, min, max); }

  private:
    Duration smoothed_ = 0;
    Duration variation_ = 0;
};

}  // namespace ringpost::gtudp
