#pragma once

#include <cstdint>

#include "codec/base/instant.hpp"
#include "codec/base/split_mix.hpp"

namespace ringpost::load {

/// How an open loop's datagrams are spread over time, at the same mean rate.
enum class Arrivals : std::uint8_t {
    fixed,    ///< number i is due at start + i / rate
    poisson,  ///< each gap is drawn from the exponential distribution, as independent users make them
};

/// The times at which an open loop's datagrams are due, one after another, whatever has happened since.
class Schedule {
  public:
    /// `rate_per_s` > 0. The same seed gives the same gaps; it means nothing to fixed arrivals.
    Schedule(Instant start, double rate_per_s, Arrivals arrivals = Arrivals::fixed, std::uint64_t seed = 0);

    /// When the next one is due; advance() goes on to the one after it.
    Instant next() const { return next_; }
    void advance();

  private:
    double gap();

    Instant start_;
    double period_ns_;
    Arrivals arrivals_;
    SplitMix64 random_;
    double passed_ = 0;  ///< fixed: the next one's number; Poisson: ns from the start to the next one
    Instant next_;
};

}  // namespace ringpost::load
