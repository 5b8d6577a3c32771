// A wake-up increments an eventfd that the backend watches. The signal handler records the signal, restores the default
// actions, so that the second signal ends the process, and finds the waker through an atomic pointer.

#include "engine/os/waker.hpp"
#include "engine/os/system_error.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

namespace ringpost {
namespace {

std::atomic<int> stop_signal{0};
std::atomic<void (*)(const void*)> signal_wake{nullptr};
std::atomic<const void*> signal_target{nullptr};

void on_signal(int signal) {
    const int saved = errno;
    stop_signal = signal;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    if (const void* target = signal_target.load()) signal_wake.load()(target);
    errno = saved;
}

}  // namespace

Result<Waker> Waker::open() {
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return std::unexpected(system_error("eventfd", errno));
    return Waker(fd);
}

Waker::Waker(Waker&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Waker::~Waker() {
    if (fd_ >= 0) ::close(fd_);
}

void Waker::wake() const {
    const std::uint64_t one = 1;
    // Fails only if the counter is full, and then a wake-up is already pending.
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
}

void Waker::clear() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = ::read(fd_, &count, sizeof count);
}

void catch_signals() {
    stop_signal = 0;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

int received_signal() { return stop_signal; }

SignalWakes::SignalWakes(const void* target, Wake wake) {
    signal_wake = wake;
    signal_target = target;
}

SignalWakes::~SignalWakes() { signal_target = nullptr; }

}  // namespace ringpost
