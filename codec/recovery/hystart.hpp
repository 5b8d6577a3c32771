#pragma once

#include <algorithm>
#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {

/// HyStart++: leaves slow start when the round trip grows, before packets are lost. Source: RFC 9406, section 4. There
/// is no limit L on the growth per acknowledgement, as the sender paces.
class HyStart {
  public:
    enum class Phase : std::uint8_t { slow_start, conservative, done };

    Phase phase() const { return phase_; }

    /// A number is acknowledged; `next` is the number that is sent next. `rtt`: 0 without a new sample.
    void on_ack(std::uint64_t number, std::uint64_t next, Duration rtt) {
        if (phase_ == Phase::done) return;
        if (number >= window_end_) begin_round(next);
        if (rtt == 0) return;
        rtt_now_ = std::min(rtt_now_, rtt);
        ++samples_;
        if (samples_ < limits::hystart_samples || rtt_now_ == never || rtt_before_ == never) return;
        if (phase_ == Phase::slow_start) {
            const Duration threshold = std::clamp(rtt_before_ / limits::hystart_rtt_divisor,
                                                  limits::hystart_rtt_threshold_min, limits::hystart_rtt_threshold_max);
            if (rtt_now_ < rtt_before_ + threshold) return;
            phase_ = Phase::conservative;
            baseline_ = rtt_now_;
            rounds_ = 0;
        } else if (rtt_now_ < baseline_) {
            phase_ = Phase::slow_start;
        }
    }

    /// How much the window grows for `bytes` acknowledged.
    std::uint64_t growth(std::uint64_t bytes) const {
        return phase_ == Phase::conservative ? bytes / limits::hystart_growth_divisor : bytes;
    }

    /// Starts again, at a new slow start.
    void restart() { *this = HyStart(); }

  private:
    void begin_round(std::uint64_t next) {
        rtt_before_ = rtt_now_;
        rtt_now_ = never;
        samples_ = 0;
        window_end_ = next;
        if (phase_ == Phase::conservative && ++rounds_ >= limits::hystart_conservative_rounds) phase_ = Phase::done;
    }

    Phase phase_ = Phase::slow_start;
    int rounds_ = 0;
    std::uint32_t samples_ = 0;
    std::uint64_t window_end_ = 0;
    Duration rtt_now_ = never, rtt_before_ = never, baseline_ = never;
};

}  // namespace ringpost::recovery
