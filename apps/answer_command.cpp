// The question lies in memory that is the child's standard input from the start, so that a child that never reads it
// holds up nobody. The child has a process group of its own, which is killed as a whole.

#include "apps/answer_command.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t and kill are in here only
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "codec/base/limits.hpp"
#include "engine/clock.hpp"

namespace ringpost::apps {
namespace {

using NoAnswer = std::unexpected<std::string>;

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(-1); }
    void reset(int fd) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

/// A running child, which does not outlive this.
class Child {
  public:
    ~Child() {
        if (id_ == 0) return;
        ::kill(-id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// 0 or an errno.
    int start(const std::string& command, int input, int output) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        // Signals that this program takes on its main thread alone are the child's to take as usual.
        sigset_t none, taken;
        sigemptyset(&none);
        sigemptyset(&taken);
        for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&taken, signal);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &taken);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        std::string shell = "sh", flag = "-c", text = command;
        char* arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
        pid_t id = 0;
        const int error = posix_spawn(&id, "/bin/sh", &actions, &attributes, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        if (error == 0) id_ = id;
        return error;
    }

    /// Waits for its end: the status of waitpid(2), or nothing when `deadline` has passed.
    std::optional<int> wait(Instant deadline) {
        const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
        pollfd ended{process.get(), POLLIN, 0};
        if (!ready(ended, deadline)) return std::nullopt;
        ::kill(-id_, SIGKILL);  // what it has left behind; until it is waited for, the number is nobody else's
        int status = 0;
        ::waitpid(id_, &status, 0);
        id_ = 0;
        return status;
    }

    static bool ready(pollfd& descriptor, Instant deadline) {
        while (true) {
            const Duration left_ms = (deadline - now() + millisecond - 1) / millisecond;
            const int count = ::poll(&descriptor, 1, static_cast<int>(std::clamp<Duration>(left_ms, 0, 1'000'000)));
            if (count > 0) return true;
            if (count == 0 || errno != EINTR) return false;
        }
    }

  private:
    pid_t id_ = 0;
};

/// The question as a file to be read from its beginning.
bool fill(int fd, const std::string& question) {
    return fd >= 0 && ::write(fd, question.data(), question.size()) == static_cast<ssize_t>(question.size()) &&
           ::lseek(fd, 0, SEEK_SET) == 0;
}

std::expected<std::string, std::string> read_all(int fd, Instant deadline) {
    std::string out;
    while (true) {
        pollfd readable{fd, POLLIN, 0};
        if (!Child::ready(readable, deadline)) return NoAnswer("took too long");
        char buffer[4096];
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return out;
        out.append(buffer, static_cast<std::size_t>(got));
        if (out.size() > limits::devices_frame_bytes_max) return NoAnswer("said too much");
    }
}

}  // namespace

std::expected<std::string, std::string> answer_by_command(const std::string& command, const std::string& question,
                                                          Duration timeout) {
    const Instant deadline = deadline_after(timeout);
    const Descriptor input(memfd_create("question", MFD_CLOEXEC));
    int ends[2];
    if (!fill(input.get(), question) || pipe2(ends, O_CLOEXEC) != 0)
        return NoAnswer(fmt::format("cannot be started: {}", std::strerror(errno)));
    const Descriptor output(ends[0]);
    Descriptor childs_output(ends[1]);
    Child child;
    if (const int error = child.start(command, input.get(), childs_output.get()); error != 0)
        return NoAnswer(fmt::format("cannot be started: {}", std::strerror(error)));
    childs_output.reset(-1);
    auto answer = read_all(output.get(), deadline);
    if (!answer) return answer;
    const auto status = child.wait(deadline);
    if (!status) return NoAnswer("took too long");
    if (WIFSIGNALED(*status)) return NoAnswer(fmt::format("was ended by signal {}", WTERMSIG(*status)));
    if (WEXITSTATUS(*status) != 0) return NoAnswer(fmt::format("failed with {}", WEXITSTATUS(*status)));
    if (answer->ends_with('\n')) answer->pop_back();
    return answer;
}

}  // namespace ringpost::apps
