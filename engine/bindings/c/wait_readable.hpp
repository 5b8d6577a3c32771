#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "engine/os/clock.hpp"

namespace ringpost::c {

/// Waits until the descriptor is readable; false at `deadline`.
inline bool wait_readable(int fd, Instant deadline) {
    pollfd watched{fd, POLLIN, 0};
    while (true) {
        const Duration left = deadline == never ? never : std::max<Duration>(deadline - now(), 0);
        const timespec limit{left / second, left % second};
        const int ready = ppoll(&watched, 1, deadline == never ? nullptr : &limit, nullptr);
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

}  // namespace ringpost::c
