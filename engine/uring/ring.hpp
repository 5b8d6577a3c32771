#pragma once

#include <liburing.h>

#include <cstdint>
#include <span>

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// A thin wrapper of one io_uring instance. Single-threaded.
/// Tests link another implementation of this class, which can make every completion fail.
class Ring {
  public:
    /// `completions` limits the requests in flight. The error names the cause: EPERM, ENOSYS or ENOMEM with its usual
    /// reason, or a kernel without multishot receive.
    static Result<Ring> open(unsigned submissions, unsigned completions);

    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    ~Ring();

    /// Returns the next free submission entry, owned by the ring; fill it before the next call. Submits first if the
    /// queue is full.
    io_uring_sqe* submission();

    /// Submits, runs pending task work, and returns without waiting.
    void submit_and_poll();
    /// The same, then sleeps until there is a completion or `timeout` has elapsed (negative: no limit).
    void submit_and_wait(Duration timeout);

    /// Fills `out` with ready completions, oldest first, and returns their number. Valid until advance().
    std::size_t completions(std::span<io_uring_cqe*> out);
    void advance(std::size_t count);
    bool completions_ready();
    /// Nothing to submit and no completions.
    bool nothing_queued();
    /// Nothing to submit, no pending task work, no completions: entering the kernel would have no effect.
    bool idle();

    /// Readable while there are completions or pending task work, but epoll is not woken by the latter.
    int fd() const { return ring_.ring_fd; }
    /// Signals the eventfd(2) for each new completion and for pending task work. False if the kernel refuses.
    bool signal(int event_fd) { return io_uring_register_eventfd(&ring_, event_fd) == 0; }
    /// The IORING_SETUP_ flags in use.
    unsigned setup_flags() const { return ring_.flags; }

    /// Registers `entries` buffers for receives of buffer group `group`. The caller keeps ownership of the memory,
    /// which must outlive the ring.
    Result<void> register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group);

  private:
    Ring() = default;

    io_uring ring_{};
    bool open_ = false;
    bool flags_task_work_ = false;  ///< the kernel flags pending task work in shared memory (TASKRUN_FLAG)
};

}  // namespace ringpost
