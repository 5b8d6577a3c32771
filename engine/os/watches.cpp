// An epoll descriptor is itself pollable, so a backend watches any number of descriptors by polling this one.

#include "engine/os/watches.hpp"
#include "engine/os/system_error.hpp"

#include <fmt/core.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ringpost {

Result<Watches> Watches::open() {
    const int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return std::unexpected(system_error("epoll_create1", errno));
    return Watches(fd);
}

Watches::Watches(Watches&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Watches::~Watches() {
    if (fd_ >= 0) ::close(fd_);
}

Result<Watched> Watches::add(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0) return Watched::watched;
    if (errno == EPERM) return Watched::always_readable;
    return std::unexpected(system_error(fmt::format("watch descriptor {}", fd), errno));
}

void Watches::remove(int fd) { epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace ringpost
