#include "engine/bindings/c/descriptor.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/os/clock.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost::c {

Descriptor::~Descriptor() {
    if (set_ >= 0) ::close(set_);
    if (timer_ >= 0) ::close(timer_);
}

Result<int> Descriptor::open(int watched) {
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer_ < 0) return std::unexpected(system_error("timerfd_create", errno));
    set_ = epoll_create1(EPOLL_CLOEXEC);
    if (set_ < 0) return std::unexpected(system_error("epoll_create1", errno));
    for (const int fd : {watched, timer_}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (epoll_ctl(set_, EPOLL_CTL_ADD, fd, &event) != 0) return std::unexpected(system_error("epoll_ctl", errno));
    }
    return set_;
}

void Descriptor::arm(Instant deadline) {
    if (deadline == armed_ && deadline == never) return;
    armed_ = deadline;
    itimerspec at{};
    // A time of 0 would disarm the timer. Relative, because the clock of an Instant may drift from the kernel's.
    const Duration left = deadline == never ? 0 : std::max<Duration>(deadline - now(), 1);
    at.it_value = {left / second, left % second};
    timerfd_settime(timer_, 0, &at, nullptr);
}

}  // namespace ringpost::c
