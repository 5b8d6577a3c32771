#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"
#include "codec/traffic/rate_profile.hpp"

namespace ringpost::traffic {

/// How an open loop's datagrams are spread over time, at the same mean rate.
enum class Arrivals : std::uint8_t {
    fixed,    ///< number i is due at start + i / rate
    poisson,  ///< each gap is drawn from the exponential distribution, as independent users make them
};

struct ScheduleOptions {
    Instant start = 0;
    double rate_per_s = 1;  ///< > 0; of datagrams, whatever the burst
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t seed = 0;                ///< the same seed gives the same gaps; it means nothing to fixed arrivals
    std::uint32_t burst = 1;               ///< so many are due at once, 1 or more; the gaps between bursts are longer
    const RateProfile* profile = nullptr;  ///< instead of the rate; must stay
    /// Several senders take turns in one schedule: this one takes number share_index, and every share_of-th after it.
    std::size_t share_index = 0, share_of = 1;
};

/// The times at which an open loop's datagrams are due, one after another, whatever has happened since.
class Schedule {
  public:
    explicit Schedule(const ScheduleOptions& options);

    /// When the next one is due; `never` when none is any more. advance() goes on to the one after it.
    Instant next() const { return next_; }
    void advance();

  private:
    void step();
    double gap();
    void place(double offset_ns);

    ScheduleOptions options_;
    double period_ns_;
    SplitMix64 random_;
    double passed_ = 0;           ///< fixed: the next burst's number; else ns from the start to it
    std::uint32_t in_burst_ = 0;  ///< of the burst that is due, so many have been passed
    Instant next_;
};

}  // namespace ringpost::traffic
