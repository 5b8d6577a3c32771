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

/// While it lives, a signal also wakes `waker`. One at a time in a process.
class SignalWakes {
  public:
    explicit SignalWakes(const Waker& waker);
    ~SignalWakes();
    SignalWakes(const SignalWakes&) = delete;
    SignalWakes& operator=(const SignalWakes&) = delete;
};

}  // namespace ringpost
