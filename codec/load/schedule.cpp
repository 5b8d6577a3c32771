#include "codec/load/schedule.hpp"

#include <cmath>

namespace ringpost::load {

Schedule::Schedule(Instant start, double rate_per_s, Arrivals arrivals, std::uint64_t seed)
    : start_(start), period_ns_(1e9 / rate_per_s), arrivals_(arrivals), random_(seed), next_(start) {
    if (arrivals == Arrivals::poisson) advance();
}

void Schedule::advance() {
    if (arrivals_ == Arrivals::fixed) {
        // A product, not a sum: a year of datagrams does not drift.
        passed_ += 1;
        next_ = start_ + static_cast<Duration>(passed_ * period_ns_);
    } else {
        passed_ += gap();
        next_ = start_ + static_cast<Duration>(passed_);
    }
}

/// By inversion (Devroye 1986, II.2): -ln(u) / rate with u in (0, 1].
double Schedule::gap() { return -std::log(1 - random_.fraction()) * period_ns_; }

}  // namespace ringpost::load
