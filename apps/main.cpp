// Entry point of the command: parses the command line and runs the chosen subcommand.

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string>
#include <system_error>

#include "apps/cli/failure.hpp"
#include "apps/cli/output.hpp"
#include "apps/cli/version.hpp"
#include "apps/commands/command_line.hpp"
#include "apps/measuring/agents.hpp"
#include "engine/os/system_error.hpp"
#include "engine/os/waker.hpp"

/// Of mimalloc, if the command is linked with it: it does not call the new handler.
extern "C" [[gnu::weak]] void mi_register_error(void (*handler)(int, void*), void* argument);

namespace {

using namespace ringpost::apps;

int run(int argc, char** argv) {
    const CommandLine line = parse_command_line(argc, argv, "ringpost " + version_text());
    if (line.command) {
        ringpost::catch_signals();
        return line.command();
    }
    std::fputs(line.text.c_str(), stdout);
    // A reader that has gone, such as head, has read what it wanted.
    if (std::fflush(stdout) != 0 && errno != EPIPE) fail_to_write();
    return Exit::done;
}

int fail(int code, const char* text) {
    if (speaks_for_all()) diagnose(text);
    return code;
}

/// Opens /dev/null for each of the descriptors 0 to 2 that is closed, so that no socket or file takes its place.
/// Standard input is then empty and diagnostics are dropped. Results cannot be written, which is an error.
void open_standard_descriptors() {
    constexpr int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; ++fd)
        // open() returns the lowest free descriptor, which is fd.
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", modes[fd]);
}

/// Memory may run out on any thread, in code that cannot report it. Allocates nothing.
[[noreturn]] void end_without_memory() {
    char line[80];
    rlimit limit{};
    const bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    const int length = limited ? std::snprintf(line, sizeof line, "ringpost: out of memory (ulimit -v %ju)\n",
                                               static_cast<std::uintmax_t>(limit.rlim_cur / 1024))
                               : std::snprintf(line, sizeof line, "ringpost: out of memory\n");
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, static_cast<std::size_t>(length));
    ::_exit(Exit::failed);
}

void on_allocator_error(int code, void*) {
    if (code == ENOMEM) end_without_memory();
}

/// Before the constructors of static objects, which allocate.
[[gnu::constructor(101)]] void report_lack_of_memory() {
    std::set_new_handler(end_without_memory);
    if (mi_register_error != nullptr) mi_register_error(on_allocator_error, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
    open_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN);  // a write to a closed pipe fails instead
    try {
        return run(argc, argv);
    } catch (const ringpost::apps::Failure& failure) {
        return fail(failure.exit_code, failure.what());
    } catch (const std::system_error& error) {
        const bool thread = error.code() == std::errc::resource_unavailable_try_again;
        const std::string no_thread = ringpost::thread_error("start a thread", EAGAIN).text;
        return fail(ringpost::apps::Exit::failed, thread ? no_thread.c_str() : error.what());
    } catch (const std::exception& error) {
        return fail(ringpost::apps::Exit::failed, error.what());
    }
}
