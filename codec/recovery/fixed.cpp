// Acknowledged and lost packets are counted in intervals of a second. An interval in which nothing was decided
// does not count. The intervals in a row that were above the limit, or below it, are what trips and resets the breaker.

#include "codec/recovery/fixed.hpp"

#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {

void Fixed::count(Instant now, std::uint64_t acked, std::uint64_t lost) {
    if (!settings_.breaker) return;
    if (interval_began_at_ < 0) interval_began_at_ = now;
    acked_ += acked;
    lost_ += lost;
    if (now - interval_began_at_ < limits::breaker_interval) return;
    end_interval();
    interval_began_at_ = now;
    acked_ = lost_ = 0;
}

void Fixed::end_interval() {
    const auto decided = static_cast<double>(acked_ + lost_);
    const bool bad = static_cast<double>(lost_) > limits::breaker_loss_ratio * decided;
    bad_ = bad ? bad_ + 1 : 0;
    good_ = bad ? 0 : good_ + 1;
    if (bad_ >= limits::breaker_intervals && shift_ < limits::breaker_shift_max) {
        ++shift_;
        ++trips_;
        bad_ = 0;
    }
    if (good_ >= limits::breaker_intervals && shift_ > 0) {
        --shift_;
        good_ = 0;
    }
}

}  // namespace ringpost::recovery
