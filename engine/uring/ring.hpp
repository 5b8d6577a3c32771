#pragma once

#include <liburing.h>

#include <cstdint>
#include <span>

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// One io_uring instance, as little wrapped as will do. Owned and entered by one thread.
/// Tests link another implementation of this class whose every completion can be made to fail.
class Ring {
  public:
    /// `completions` bounds what may be in flight at once. The error says which limit refused the ring.
    static Result<Ring> open(unsigned submissions, unsigned completions);

    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    ~Ring();

    /// The next free submission entry, zeroed; submits what is queued when the queue is full. The entry belongs to the
    /// ring; fill it before the next call.
    io_uring_sqe* submission();

    /// Submits what is queued, runs the kernel's deferred completions, and returns without waiting.
    void submit_and_poll();
    /// The same, and sleeps until a completion is there or `timeout` has passed (negative: no limit).
    void submit_and_wait(Duration timeout);

    /// Fills `out` with completions that are ready, oldest first; they stay valid until advance() of as many.
    std::size_t completions(std::span<io_uring_cqe*> out);
    void advance(std::size_t count);
    bool completions_ready();
    /// Nothing to submit, to run or to take: entering the kernel would be for nothing.
    bool quiet();

    /// The IORING_SETUP_ flags that the kernel has granted.
    unsigned setup_flags() const { return ring_.flags; }

    /// Offers `entries` buffers to receives that name `group`. The memory stays the caller's until the ring is closed.
    Result<void> register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group);

  private:
    Ring() = default;

    io_uring ring_{};
    bool open_ = false;
    bool tells_of_work_ = false;  ///< the kernel flags deferred work where we can see it without a system call
};

}  // namespace ringpost
