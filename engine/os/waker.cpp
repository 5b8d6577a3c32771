// A wake-up increments an eventfd that the backend watches. The signal handler records the first signal and when it
// arrived, and finds the waker through an atomic pointer. Signals within a second after it are repetitions: timeout(1)
// signals the process and then its group. A later one restores the default action and raises itself again.

#include "engine/os/waker.hpp"
#include "engine/os/clock.hpp"
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

constexpr Duration repetitions_within = second;

std::atomic<int> stop_signal{0};
std::atomic<Instant> stop_signal_at{never};
std::atomic<bool> hangup{false};
std::atomic<void (*)(const void*)> signal_wake{nullptr};
std::atomic<const void*> signal_target{nullptr};

void wake_target() {
    if (const void* target = signal_target.load()) signal_wake.load()(target);
}

void on_hangup(int) {
    const int saved = errno;
    hangup = true;
    wake_target();
    errno = saved;
}

void on_signal(int signal) {
    const int saved = errno;
    record_signal(signal == SIGHUP ? SIGTERM : signal);
    if (monotonic_now() - stop_signal_at >= repetitions_within) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }
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
    stop_signal_at = never;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    // nohup(1) starts a program that is to outlive its terminal with SIGHUP ignored.
    struct sigaction before{};
    if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

void keep_hangups() {
    struct sigaction action{};
    action.sa_handler = on_hangup;
    sigaction(SIGHUP, &action, nullptr);
}

bool take_hangup() { return hangup.load(std::memory_order_relaxed) && hangup.exchange(false); }

void record_signal(int signal) {
    Instant none = never;
    if (!stop_signal_at.compare_exchange_strong(none, monotonic_now())) return;
    stop_signal = signal;
    wake_target();
}

int received_signal() { return stop_signal; }

SignalWakes::SignalWakes(const void* target, Wake wake) {
    signal_wake = wake;
    signal_target = target;
}

SignalWakes::~SignalWakes() { signal_target = nullptr; }

}  // namespace ringpost
