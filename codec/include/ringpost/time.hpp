#pragma once

// Time as the pure side sees it: plain integers handed in by whoever owns a clock.

#include <cstdint>
#include <limits>

namespace ringpost {

/// Nanoseconds on a monotonic clock whose zero means nothing. Never read inside codec/: always an argument.
using Instant = std::int64_t;

/// Nanoseconds between two Instants.
using Duration = std::int64_t;

inline constexpr Duration microsecond = 1'000;
inline constexpr Duration millisecond = 1'000'000;
inline constexpr Duration second = 1'000'000'000;

/// Later than every deadline.
inline constexpr Instant never = std::numeric_limits<Instant>::max();

}  // namespace ringpost
