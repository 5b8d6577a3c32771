#pragma once

#include <time.h>

#include "codec/base/instant.hpp"

namespace ringpost {

/// CLOCK_MONOTONIC through the vDSO: about 25 ns, and the loop reads it once a turn.
inline Instant now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return Instant{t.tv_sec} * second + t.tv_nsec;
}

/// The instant `timeout` from now, `never` included.
inline Instant deadline_after(Duration timeout) {
    const Instant at = now();
    return timeout < never - at ? at + timeout : never;
}

/// What to add to now() for nanoseconds since 1970. Changes when the wall clock is stepped.
inline Duration unix_offset() {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return Instant{t.tv_sec} * second + t.tv_nsec - now();
}

}  // namespace ringpost
