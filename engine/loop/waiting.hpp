#pragma once

#include <algorithm>

#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// How long after the last work adaptive still spins: about what an idle virtual CPU takes to wake up.
inline constexpr Duration adaptive_spin = 100 * microsecond;

/// How long the loop may sleep now: 0 is not at all, `never` until something happens.
/// `last_work` is when it last received or sent; `deadline` when it must be back.
inline Duration sleep_for(WaitMode mode, Instant now, Instant last_work, Instant deadline) {
    if (mode == WaitMode::spin || deadline <= now) return 0;
    if (mode == WaitMode::block) return deadline == never ? never : deadline - now;
    if (now - last_work < adaptive_spin) return 0;
    // Waking up takes as long as spinning pays: be back that much early, and spin the rest.
    return deadline == never ? never : std::max<Duration>(deadline - now - adaptive_spin, 0);
}

}  // namespace ringpost
