// Entry point of the command: parses the command line and runs the chosen subcommand.

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <system_error>

#include "apps/cli/failure.hpp"
#include "apps/cli/memory.hpp"
#include "apps/cli/output.hpp"
#include "apps/cli/version.hpp"
#include "apps/commands/command_line.hpp"
#include "apps/measuring/agents.hpp"
#include "engine/os/system_error.hpp"
#include "engine/os/waker.hpp"

namespace {

using namespace ringpost::apps;

int run(int argc, char** argv) {
    const CommandLine line = parse_command_line(argc, argv, "ringpost " + version_text());
    if (line.command) {
        ringpost::catch_signals();
        set_memory_aside();
        const int code = line.command();
        return out_of_memory() ? int{Exit::failed} : code;
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
