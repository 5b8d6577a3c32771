#pragma once

#include <ringpost/error.hpp>

namespace ringpost {

/// Wakes a sleeping loop from another thread or a signal handler, and tells it to stop.
class Waker {
  public:
    static Result<Waker> open();
    Waker(Waker&& other) noexcept;
    Waker& operator=(Waker&&) = delete;
    ~Waker();

    /// Readable while the loop should wake up.
    int fd() const { return fd_; }
    /// Async-signal-safe, any thread.
    void wake() const;
    /// Makes fd() unreadable again.
    void clear() const;

  private:
    explicit Waker(int fd) : fd_(fd) {}
    int fd_;
};

/// From catch_signals() on, the first SIGINT or SIGTERM is only noted, so that a report can still be printed; the
/// second ends the process at once.
void catch_signals();

/// The first signal that came, or 0.
int received_signal();

/// While it lives, SIGINT and SIGTERM also call target.wake(), which is async-signal-safe: that of a Waker or a
/// messenger. One at a time in a process.
class SignalWakes {
  public:
    template <class Target>
    explicit SignalWakes(const Target& target)
        : SignalWakes(&target, [](const void* at) { static_cast<const Target*>(at)->wake(); }) {}
    ~SignalWakes();
    SignalWakes(const SignalWakes&) = delete;
    SignalWakes& operator=(const SignalWakes&) = delete;

  private:
    using Wake = void (*)(const void* target);
    SignalWakes(const void* target, Wake wake);
};

}  // namespace ringpost
