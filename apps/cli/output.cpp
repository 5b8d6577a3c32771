#include "apps/cli/output.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "apps/cli/failure.hpp"
#include "apps/cli/printable.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

/// How often a thread whose output nobody reads checks for a signal, and how long it still waits after one.
constexpr int signal_check_ms = 50;
constexpr Duration wait_after_signal = 250 * millisecond;

/// Standard output and standard error that nobody read after a signal: further output does not wait again.
std::atomic<bool> given_up[3];

/// Waits until the descriptor takes a part of the output that does not block. False if nobody reads after a signal.
bool wait_for_room(int fd) {
    Instant give_up_at = never;
    while (true) {
        pollfd writable{fd, POLLOUT, 0};
        if (::poll(&writable, 1, given_up[fd] ? 0 : signal_check_ms) > 0) return true;
        if (given_up[fd]) return false;
        if (received_signal() == 0) continue;
        if (give_up_at == never) give_up_at = now() + wait_after_signal;
        if (now() >= give_up_at) given_up[fd] = true;
    }
}

enum class Written : std::uint8_t { all, failed, not_read };

/// A pipe that is ready takes PIPE_BUF bytes without blocking, so that this thread never blocks for longer than it
/// checks for signals, which may arrive on another thread.
Written write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        if (!wait_for_room(fd)) return Written::not_read;
        const ssize_t written = ::write(fd, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EAGAIN && errno != EINTR)
            return Written::failed;
    }
    return Written::all;
}

}  // namespace

void put_line(const std::string& line) {
    switch (write_all(STDOUT_FILENO, line + '\n')) {
        case Written::all: return;
        case Written::failed: fail_to_write();
        case Written::not_read:
            throw Failure(exit_code(Exit::failed), "standard output: nobody reads it, the rest is lost");
    }
}

void fail_to_write() { throw Failure(Exit::failed, "standard output: cannot be written"); }

void write_diagnostic(std::string_view text) { write_all(STDERR_FILENO, text); }

void diagnose(std::string_view line) { write_diagnostic(fmt::format("ringpost: {}\n", printable_line(line))); }

}  // namespace ringpost::apps
