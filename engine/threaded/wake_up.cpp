// No wake-up is lost. A thread leaves something (a command, a flag) and then looks at state_; the loop says `sleeping`
// there and then looks for what was left; each has a sequentially consistent fence in between. Whichever fence comes
// first, the other thread sees what stands before it: either the loop finds what was left and does not sleep, or the
// thread finds `sleeping` and wakes it. If the loop misses a command because an earlier one in its queue is still being
// written (bounded_queue.hpp), then the writer of that one has its fence still to come, and wakes it. A thread that
// finds `awake` need do nothing: the loop will say `sleeping`, and look, before it next sleeps; and if it said so
// before the thread's fence, the thread would have found that. Of several that find `sleeping` one changes it back to
// `awake`, and only that one makes the system call.
//
// No command is left behind. The loop ends by saying `finished`, a fence, and ending all that it finds; a thread that
// finds `finished` after its own fence does the same. Take the last of all these fences: its thread sees every command,
// each written before an earlier fence. Each is popped once, and so ends once.

#include "engine/threaded/wake_up.hpp"
#include "engine/os/system_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace ringpost {

WakeUp::~WakeUp() {
    if (fd_ >= 0) ::close(fd_);
}

std::optional<Error> WakeUp::by(const Waker& waker) {
    fd_ = fcntl(waker.fd(), F_DUPFD_CLOEXEC, 0);
    if (fd_ < 0) return system_error("duplicate the waker", errno);
    return std::nullopt;
}

WakeUp::State WakeUp::nudge() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    if (seen == sleeping && state_.compare_exchange_strong(seen, awake, std::memory_order_acq_rel)) {
        const std::uint64_t one = 1;
        // It can only fail by a full counter, and then the loop is being woken already.
        [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
    }
    return static_cast<State>(seen);
}

void WakeUp::finish() {
    state_.store(finished, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace ringpost
