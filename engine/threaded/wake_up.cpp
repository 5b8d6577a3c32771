// No wake-up is lost. A thread publishes work (a command, a flag), then reads state_. The loop stores `sleeping`, then
// checks for work. Each has a sequentially consistent fence between the two. Whichever fence comes first, the other
// thread sees the store before it: either the loop finds the work and does not sleep, or the thread reads `sleeping`
// and wakes the loop. If the loop misses a command because an earlier entry of its queue is still being written
// (bounded_queue.hpp), the writer of that entry has not reached its fence yet, and will wake the loop. A thread that
// reads `awake` need not do anything: the loop checks for work before it sleeps next. If several threads read
// `sleeping`, one of them changes it to `awake`, and only that one makes the system call.
//
// No command is missed at the end. The loop stores `finished`, executes a fence and abandons the queued commands. A
// thread that reads `finished` after its own fence does the same. Consider the last of these fences: its thread sees
// every command, because each was written before an earlier fence. Each command is popped once, so it ends once.

#include "engine/threaded/wake_up.hpp"
#include "engine/os/system_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace ringpost {

WakeUp::~WakeUp() {
    if (fd_ >= 0) ::close(fd_);
}

std::optional<Error> WakeUp::attach(const Waker& waker) {
    fd_ = fcntl(waker.fd(), F_DUPFD_CLOEXEC, 0);
    if (fd_ < 0) return system_error("duplicate the waker", errno);
    return std::nullopt;
}

WakeUp::State WakeUp::notify() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    if (seen == sleeping && state_.compare_exchange_strong(seen, awake, std::memory_order_acq_rel)) {
        const std::uint64_t one = 1;
        // Fails only if the counter is full, and then a wake-up is already pending.
        [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
    }
    return static_cast<State>(seen);
}

void WakeUp::finish() {
    state_.store(finished, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace ringpost
