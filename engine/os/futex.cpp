// Waits use FUTEX_WAIT with a relative timeout, because an Instant is not necessarily a reading of a kernel clock.

#include "engine/os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "engine/os/clock.hpp"

namespace ringpost {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Instant deadline) {
    const Duration left = std::max<Duration>(deadline - now(), 0);
    const timespec limit{left / second, left % second};
    syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, deadline == never ? nullptr : &limit, nullptr, 0);
}

void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count) {
    syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
}

}  // namespace ringpost
