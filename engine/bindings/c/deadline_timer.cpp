#include "engine/bindings/c/deadline_timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/os/clock.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost::c {

DeadlineTimer::~DeadlineTimer() {
    if (fd_ >= 0) ::close(fd_);
}

Result<int> DeadlineTimer::open() {
    fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd_ < 0) return std::unexpected(system_error("timerfd_create", errno));
    return fd_;
}

void DeadlineTimer::arm(Instant deadline) {
    if (deadline == armed_ && deadline == never) return;
    armed_ = deadline;
    itimerspec at{};
    // A time of 0 would disarm the timer. Relative, because the clock of an Instant may drift from the kernel's.
    const Duration left = deadline == never ? 0 : std::max<Duration>(deadline - now(), 1);
    at.it_value = {left / second, left % second};
    timerfd_settime(fd_, 0, &at, nullptr);
}

}  // namespace ringpost::c
