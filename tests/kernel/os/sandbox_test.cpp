// Each case in a child of its own: what it gives up is gone.

#include "engine/os/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

#include "engine/uring/ring.hpp"

namespace ringpost::test {
namespace {

/// How a child ended that runs `body`, and what it wrote to standard error.
template <class Body>
std::pair<int, std::string> in_child(const Body& body) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        _exit(body() ? 0 : 1);
    }
    close(ends[1]);
    std::string text(4'096, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(read(ends[0], text.data(), text.size()), 0)));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return {status, text};
}

bool exited_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

struct Sandbox : testing::Test {
    Sandbox() {
        const auto [status, text] =
            in_child([] { return !deny_files() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && !deny_calls({}); });
        if (!exited_well(status)) skipped_ = true;
    }
    void SetUp() override {
        if (skipped_) GTEST_SKIP() << "no Landlock, or no seccomp";
    }

  private:
    bool skipped_ = false;
};

/// Opens a file that everybody may read; 0 or an errno.
int error_of_opening() {
    const int fd = ::open("/proc/self/status", O_RDONLY);
    if (fd < 0) return errno;
    ::close(fd);
    return 0;
}

/// Opens the same file by a request of an io_uring, which passes no filter of system calls.
int error_of_opening(Ring& ring) {
    io_uring_prep_openat(ring.submission(), AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
    io_uring_cqe* done[1];
    while (ring.completions(done) == 0) ring.submit_and_wait(second);
    const int result = done[0]->res;
    ring.advance(1);
    return result < 0 ? -result : 0;
}

TEST_F(Sandbox, no_file_can_be_opened) {
    const auto [status, text] = in_child([] {
        if (error_of_opening() != 0 || deny_files()) return false;
        const bool denied = error_of_opening() == EACCES;
        return denied && !deny_calls({}) && error_of_opening() == EACCES;
    });
    EXPECT_TRUE(exited_well(status)) << text;
}

TEST_F(Sandbox, files_beneath_a_directory_stay_accessible) {
    const std::string directory = testing::TempDir() + "ringpost_sandbox_" + std::to_string(getpid());
    ASSERT_EQ(::mkdir(directory.c_str(), 0700), 0) << directory;
    const auto [status, text] = in_child([&] {
        if (deny_files({.accessible_beneath = directory}) || deny_calls({.files = true})) return false;
        const std::string file = directory + "/kept";
        const int fd = ::open(file.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
        const bool kept = fd >= 0 && ::write(fd, "x", 1) == 1 && ::unlink(file.c_str()) == 0;
        return kept && error_of_opening() == EACCES;
    });
    EXPECT_TRUE(exited_well(status)) << text;
    EXPECT_EQ(::rmdir(directory.c_str()), 0) << directory;
}

TEST_F(Sandbox, files_beneath_a_directory_can_stay_readable_only) {
    const std::string directory = testing::TempDir() + "ringpost_readable_" + std::to_string(getpid());
    const std::string file = directory + "/read";
    ASSERT_EQ(::mkdir(directory.c_str(), 0700), 0) << directory;
    const int created = ::open(file.c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_TRUE(created >= 0 && ::write(created, "x", 1) == 1 && ::close(created) == 0) << file;
    const auto reads = [&] {
        char byte = 0;
        const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        return fd >= 0 && ::read(fd, &byte, 1) == 1 && byte == 'x' && ::close(fd) == 0;
    };
    const auto [status, text] = in_child([&] {
        if (deny_files({.readable_beneath = directory}) || deny_calls({.reading = true})) return false;
        const bool read_only = ::open(file.c_str(), O_RDWR) < 0 && errno == EACCES && error_of_opening() == EACCES;
        return read_only && reads();
    });
    EXPECT_TRUE(exited_well(status)) << text;
    EXPECT_EQ(::unlink(file.c_str()) | ::rmdir(directory.c_str()), 0) << directory;
}

TEST_F(Sandbox, a_ring_opens_no_file_either) {
    if (!Ring::open(8, 8)) GTEST_SKIP() << "no io_uring";
    const auto [status, text] = in_child([] {
        auto ring = Ring::open(8, 8);
        if (!ring || deny_files() || deny_calls({})) return false;
        return error_of_opening(*ring) == EACCES;
    });
    EXPECT_TRUE(exited_well(status)) << text;
}

TEST_F(Sandbox, another_system_call_is_named_and_ends_the_process) {
    const auto [status, text] = in_child([] {
        if (deny_files() || deny_calls({})) return false;
        char program[] = "/bin/true";
        char* arguments[] = {program, nullptr};
        ::execve(program, arguments, nullptr);
        return true;
    });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
    EXPECT_EQ(text, "ringpost: sandbox: system call " + std::to_string(SYS_execve) + " is not permitted\n");
}

TEST_F(Sandbox, threads_can_be_started_but_no_process) {
    const auto [status, text] = in_child([] {
        if (deny_files() || deny_calls({})) return false;
        bool ran = false;
        std::thread([&] { ran = true; }).join();
        return ran;
    });
    EXPECT_TRUE(exited_well(status)) << text;
    const auto [forked, line] = in_child([] { return !deny_files() && !deny_calls({}) && fork() >= 0; });
    EXPECT_TRUE(WIFSIGNALED(forked) && WTERMSIG(forked) == SIGSYS) << forked;
}

TEST_F(Sandbox, threads_that_run_already_are_included) {
    const auto [status, text] = in_child([] {
        std::atomic<bool> denied{false}, done{false};
        bool good = false;
        std::thread other([&] {
            denied.wait(false);
            good = error_of_opening() == EACCES;
            done = true;
        });
        const bool failed = deny_calls({}).has_value();
        denied = true;
        denied.notify_one();
        other.join();
        return good && !failed;
    });
    EXPECT_TRUE(exited_well(status)) << text;
}

TEST_F(Sandbox, connections_are_permitted_where_they_are_needed) {
    for (const bool connections : {false, true}) {
        const auto [status, text] = in_child([&] {
            const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
            return !deny_files() && !deny_calls({.connections = connections}) && ::listen(fd, 1) == 0;
        });
        EXPECT_EQ(exited_well(status), connections) << text;
    }
}

}  // namespace
}  // namespace ringpost::test
