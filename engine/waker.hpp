#pragma once

#include <atomic>

#include "engine/error.hpp"

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

/// While it lives, SIGINT and SIGTERM wake `waker` instead of ending the process; the second one ends it at once.
/// One at a time in a process.
class StopSignals {
  public:
    explicit StopSignals(const Waker& waker);
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// The signal that came, or 0.
    static int received();
};

}  // namespace ringpost
