#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"
#include "codec/traffic/rate_profile.hpp"
#include "codec/traffic/recording.hpp"

namespace ringpost::traffic {

/// Distribution of an open loop's send times at the same mean rate.
enum class Arrivals : std::uint8_t {
    fixed,    ///< number i is due at start + i / rate
    poisson,  ///< exponentially distributed gaps, as from independent users
};

struct ScheduleOptions {
    Instant start = 0;
    double rate_per_s = 1;  ///< datagrams per second, regardless of bursts; > 0
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t seed = 0;                ///< of Poisson arrivals
    std::uint32_t burst = 1;               ///< datagrams due at once, >= 1; the gaps between bursts grow accordingly
    const RateProfile* profile = nullptr;  ///< replaces the rate; must outlive the schedule
    const Recording* recording = nullptr;  ///< the same; replaces bursts and arrivals, too
    /// Takes number share_index and every share_of-th after it, so that several senders share one schedule.
    std::size_t share_index = 0, share_of = 1;
};

/// Of an endpoint's options, whose members have these names. A rate of 0 is a closed loop, which has no schedule.
template <class EndpointOptions>
ScheduleOptions schedule_of(const EndpointOptions& options) {
    return {.start = options.start,
            .rate_per_s = options.rate_per_s > 0 ? options.rate_per_s : 1,
            .arrivals = options.arrivals,
            .seed = options.arrivals_seed,
            .burst = options.burst,
            .profile = options.profile,
            .recording = options.recording,
            .share_index = options.share_index,
            .share_of = options.share_of};
}

/// How long after its end a schedule's overdue datagrams are still sent: a stall of the sender at the end then costs
/// none of them, and the rate is wrong by at most one percent.
constexpr Duration overtime(Instant start, Instant stop) {
    if (stop == never || stop <= start) return 0;
    return std::clamp((stop - start) / 100, millisecond, 20 * millisecond);
}

/// The due times of an open loop's datagrams, independent of what happens to them.
class Schedule {
  public:
    explicit Schedule(const ScheduleOptions& options);

    /// Due time of the next datagram; `never` if there is none. advance() moves on to the next one.
    Instant next() const { return next_; }
    void advance();
    /// Passes those due until then, at most out.size(), and returns their due times at the front of `out`.
    std::span<const Instant> take(Instant until, std::span<Instant> out);

    /// Number of datagrams from the next one on that are due in [from, until), at most `at_most`. Counts a million of
    /// them one by one; what is beyond is estimated from their mean gap.
    std::uint64_t count_due(Instant from, Instant until, std::uint64_t at_most) const;

  private:
    void step();
    double gap();
    Instant due_at(double offset_ns) const;
    void place(double offset_ns);

    ScheduleOptions options_;
    double period_ns_;
    SplitMix64 random_;
    double passed_ = 0;           ///< fixed: number of the next burst; otherwise its offset from the start in ns
    std::uint64_t recorded_ = 0;  ///< the number of the next datagram in a recording
    std::uint32_t in_burst_ = 0;  ///< datagrams of the current burst already passed
    Instant next_;
};

}  // namespace ringpost::traffic
