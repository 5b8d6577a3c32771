#pragma once

// How far a sender's own lateness reaches into the response times that it measured.

#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/measure/histogram.hpp"

namespace ringpost {

/// Response and service time at one percentile, in nanoseconds; nullopt if it lies among the lost probes, or if nothing
/// was measured.
///
/// A response time runs from when a probe was due, a service time from when it was sent, so no response is shorter than
/// its service, and no percentile of the responses is below that of the services. Had the sender been punctual, the
/// percentile would lie between the two: lateness never makes a response shorter.
struct PercentileTimes {
    std::optional<Duration> response, service;

    /// The part of the response that may be the sender's lateness; 0 if the percentile lies among the lost probes, or
    /// among those whose service is unknown.
    Duration lateness() const;
    /// Whether the percentile describes the peer: at most a tenth of it, or a microsecond, is lateness.
    bool stands() const;
};

/// Both at `percent`, with `lost` probes ranked behind all others, and responses without a service behind those that
/// have one. See percentile_with_lost().
PercentileTimes percentile_times(const Histogram& response, const Histogram& service, double percent,
                                 std::uint64_t lost);

}  // namespace ringpost
