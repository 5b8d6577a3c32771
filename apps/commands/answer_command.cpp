// The question is written to a memfd, which becomes the child's standard input, so that a child that never reads it
// cannot block the writer. The child leads a process group of its own, which is killed as a whole.

#include "apps/commands/answer_command.hpp"

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
#include "engine/os/clock.hpp"

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

enum class WakeUp : std::uint8_t { by_event, by_polling };

/// Limits a wait by a deadline and by `stopping`, which has to be polled.
struct Patience {
    Instant deadline;
    const std::atomic<bool>& stopping;

    bool over() const { return stopping || now() >= deadline; }
    /// The timeout for poll(2): longer if the awaited event ends it, shorter if the caller must poll for the event.
    int wait_ms(WakeUp wake_up) const {
        const Duration left_ms = (deadline - now()) / millisecond + 1;
        return static_cast<int>(std::clamp<Duration>(left_ms, 0, wake_up == WakeUp::by_event ? 50 : 5));
    }
};

/// A child process; the destructor kills it.
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

    /// Starts `command`; returns 0 or an errno.
    int start(const std::string& command, int input, int output) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        // The child handles all signals by default, although this thread blocks them and the program handles some.
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

    /// Waits for the end of the process: the status of waitpid(2), or nothing after a timeout.
    std::optional<int> wait(const Patience& patience) {
        const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
        siginfo_t ended{};
        // Without pidfd_open, poll() ignores the negative descriptor and only sleeps.
        do {
            if (patience.over()) return std::nullopt;
            pollfd end{process.get(), POLLIN, 0};
            ::poll(&end, 1, patience.wait_ms(process.get() >= 0 ? WakeUp::by_event : WakeUp::by_polling));
        } while (::waitid(P_PID, static_cast<id_t>(id_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                 ended.si_pid == 0);
        ::kill(-id_, SIGKILL);  // its children; the id cannot be reused before waitpid()
        int status = 0;
        ::waitpid(id_, &status, 0);
        id_ = 0;
        return status;
    }

  private:
    pid_t id_ = 0;
};

/// Writes the question to a file and rewinds it.
bool fill(int fd, const std::string& question) {
    return fd >= 0 && ::write(fd, question.data(), question.size()) == static_cast<ssize_t>(question.size()) &&
           ::lseek(fd, 0, SEEK_SET) == 0;
}

std::expected<std::string, std::string> read_all(int fd, const Patience& patience) {
    std::string out;
    while (!patience.over()) {
        pollfd readable{fd, POLLIN, 0};
        if (::poll(&readable, 1, patience.wait_ms(WakeUp::by_event)) <= 0) continue;
        char buffer[4096];
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return out;
        out.append(buffer, static_cast<std::size_t>(got));
        if (out.size() > limits::devices_frame_bytes_max) return NoAnswer("printed too much");
    }
    return NoAnswer("took too long");
}

}  // namespace

std::expected<std::string, std::string> answer_by_command(const std::string& command, const std::string& question,
                                                          Duration timeout, const std::atomic<bool>& stopping) {
    const Patience patience{deadline_after(timeout), stopping};
    const Descriptor input(memfd_create("question", MFD_CLOEXEC));
    int ends[2];
    if (!fill(input.get(), question) || pipe2(ends, O_CLOEXEC) != 0)
        return NoAnswer(fmt::format("could not be started: {}", std::strerror(errno)));
    const Descriptor output(ends[0]);
    Descriptor child_output(ends[1]);
    Child child;
    if (const int error = child.start(command, input.get(), child_output.get()); error != 0)
        return NoAnswer(fmt::format("could not be started: {}", std::strerror(error)));
    child_output.reset(-1);
    auto answer = read_all(output.get(), patience);
    if (!answer) return answer;
    const auto status = child.wait(patience);
    if (!status) return NoAnswer("took too long");
    if (WIFSIGNALED(*status)) return NoAnswer(fmt::format("was killed by signal {}", WTERMSIG(*status)));
    if (WEXITSTATUS(*status) != 0) return NoAnswer(fmt::format("exited with {}", WEXITSTATUS(*status)));
    if (answer->ends_with('\n')) answer->pop_back();
    return answer;
}

}  // namespace ringpost::apps
