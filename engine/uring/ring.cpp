// Setup requests all optional flags and drops them one by one while the kernel returns EINVAL. Multishot receive, which
// the backend requires, is probed by a request on an invalid descriptor.

#include "engine/uring/ring.hpp"

#include <cerrno>
#include <iterator>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

// If the kernel does not support one, they are dropped in this order.
constexpr unsigned wanted[] = {
    // Pending task work is flagged in shared memory, so a polling turn without any can skip the system call.
    IORING_SETUP_TASKRUN_FLAG,
    // Task work runs only when this thread enters the kernel, and never interrupts a turn.
    IORING_SETUP_DEFER_TASKRUN,
    // Only one thread submits, so the kernel can skip locks. Required by DEFER_TASKRUN.
    IORING_SETUP_SINGLE_ISSUER,
    // A submission that fails completes with its error, and the following ones still run.
    IORING_SETUP_SUBMIT_ALL,
    // A ring that is too large is reduced instead of refused.
    IORING_SETUP_CLAMP,
};

Error explain(int code) {
    switch (code) {
        case EPERM:
            return {code,
                    "io_uring refused (EPERM): sysctl kernel.io_uring_disabled, or this container's seccomp filter"};
        case ENOSYS: return {code, "io_uring refused (ENOSYS): not in this kernel, or hidden by a seccomp filter"};
        case ENOMEM: return {code, "io_uring refused (ENOMEM): the locked-memory limit (ulimit -l) is too low"};
        default: return system_error("io_uring refused", code);
    }
}

/// Probes for multishot receives (Linux 6.0). On an invalid descriptor they fail with EINVAL if unsupported and with
/// EBADF if supported.
Result<void> probe_multishot(io_uring& ring) {
    msghdr header{};
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recvmsg_multishot(sqe, -1, &header, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_cqe* cqe = nullptr;
    int result = io_uring_submit_and_wait(&ring, 1);
    if (result >= 0) result = io_uring_peek_cqe(&ring, &cqe);
    if (result < 0) return std::unexpected(explain(-result));
    const bool supported = cqe->res == -EBADF;
    io_uring_cqe_seen(&ring, cqe);
    if (supported) return {};
    return std::unexpected(Error{EINVAL, "io_uring refused: no multishot receive here (Linux 6.0 and later have it)"});
}

}  // namespace

Result<Ring> Ring::open(unsigned submissions, unsigned completions) {
    Ring ring;
    unsigned flags = IORING_SETUP_CQSIZE;
    for (const unsigned flag : wanted) flags |= flag;
    int result = 0;
    std::size_t given_up = 0;
    while (true) {
        io_uring_params parameters{};
        parameters.flags = flags;
        parameters.cq_entries = completions;
        result = io_uring_queue_init_params(submissions, &ring.ring_, &parameters);
        if (result != -EINVAL || given_up == std::size(wanted)) break;
        flags &= ~wanted[given_up++];
    }
    if (result < 0) return std::unexpected(explain(-result));
    ring.open_ = true;
    ring.flags_task_work_ = (flags & IORING_SETUP_TASKRUN_FLAG) != 0;
    if (auto probed = probe_multishot(ring.ring_); !probed) return std::unexpected(probed.error());
    io_uring_register_ring_fd(&ring.ring_);  // optional: saves a descriptor lookup per enter
    return ring;
}

Ring::Ring(Ring&& other) noexcept
    : ring_(other.ring_), open_(std::exchange(other.open_, false)), flags_task_work_(other.flags_task_work_) {}

Ring::~Ring() {
    if (open_) io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::submission() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
        // EBUSY means that the completion queue overflowed: flush the overflow, which stays queued for completions().
        if (io_uring_submit(&ring_) < 0) io_uring_get_events(&ring_);
        sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
}

void Ring::submit_and_poll() { io_uring_submit_and_get_events(&ring_); }

void Ring::submit_and_wait(Duration timeout) {
    io_uring_cqe* cqe = nullptr;
    if (timeout < 0) {
        io_uring_submit_and_wait(&ring_, 1);
        return;
    }
    __kernel_timespec limit{timeout / second, timeout % second};
    io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &limit, nullptr);
}

std::size_t Ring::completions(std::span<io_uring_cqe*> out) {
    return io_uring_peek_batch_cqe(&ring_, out.data(), static_cast<unsigned>(out.size()));
}

void Ring::advance(std::size_t count) { io_uring_cq_advance(&ring_, static_cast<unsigned>(count)); }

bool Ring::completions_ready() { return io_uring_cq_ready(&ring_) > 0; }

bool Ring::nothing_queued() { return io_uring_sq_ready(&ring_) == 0 && io_uring_cq_ready(&ring_) == 0; }

bool Ring::idle() {
    constexpr unsigned work = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
    return flags_task_work_ && nothing_queued() && (IO_URING_READ_ONCE(*ring_.sq.kflags) & work) == 0;
}

Result<void> Ring::register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group) {
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers);
    registration.ring_entries = entries;
    registration.bgid = group;
    const int result = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (result < 0) return std::unexpected(system_error("io_uring provided buffers refused", -result));
    return {};
}

}  // namespace ringpost
