#pragma once

#include <algorithm>

#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// How long `adaptive` spins after the last work: about the wake-up latency of an idle virtual CPU.
inline constexpr Duration adaptive_spin = 100 * microsecond;

/// How long the loop may sleep: 0 means poll, `never` means until something happens. `last_work` is the time of the
/// last receive or send, `deadline` the time by which the loop must run again.
inline Duration sleep_for(WaitMode mode, Instant now, Instant last_work, Instant deadline) {
    if (mode == WaitMode::spin || deadline <= now) return 0;
    if (mode == WaitMode::block) return deadline == never ? never : deadline - now;
    if (now - last_work < adaptive_spin) return 0;
    // Wake up early by the wake-up latency, and spin until the deadline.
    return deadline == never ? never : std::max<Duration>(deadline - now - adaptive_spin, 0);
}

}  // namespace ringpost
