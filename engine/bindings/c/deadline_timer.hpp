#pragma once

// The timer of a handle without a thread. The backend watches it, so that one descriptor covers both
// (timerfd_create(2)).

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>

namespace ringpost::c {

class DeadlineTimer {
  public:
    DeadlineTimer() = default;
    ~DeadlineTimer();
    DeadlineTimer(const DeadlineTimer&) = delete;
    DeadlineTimer& operator=(const DeadlineTimer&) = delete;

    /// Returns its descriptor, which is readable from the time of the last arm() until the next.
    Result<int> open();
    bool is_open() const { return fd_ >= 0; }
    /// In the past: readable at once.
    void arm(Instant deadline);

  private:
    int fd_ = -1;
    Instant armed_ = never;
};

}  // namespace ringpost::c
