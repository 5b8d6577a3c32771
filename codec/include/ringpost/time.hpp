#pragma once

// Time in codec/: plain integers, passed in by the owner of a clock.

#include <cstdint>
#include <limits>

namespace ringpost {

/// Nanoseconds on a monotonic clock with an arbitrary zero. codec/ never reads a clock; time is always an argument.
using Instant = std::int64_t;

/// Nanoseconds between two Instants.
using Duration = std::int64_t;

inline constexpr Duration microsecond = 1'000;
inline constexpr Duration millisecond = 1'000'000;
inline constexpr Duration second = 1'000'000'000;

/// Later than any deadline.
inline constexpr Instant never = std::numeric_limits<Instant>::max();

}  // namespace ringpost
