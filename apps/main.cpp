// Entry point of the command: parses the options of the chosen subcommand and runs it.

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <string_view>

#include "apps/cli/report.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/struct_values.hpp"
#include "apps/measuring/agents.hpp"
#include "engine/os/waker.hpp"

namespace {

using namespace ringpost::apps;

struct Subcommand {
    std::string_view name;
    void (*add)(CLI::App& app, Command& chosen);
};

constexpr Subcommand subcommands[] = {
    {"load", add_load},         {"sink", add_sink},       {"latency", add_latency}, {"echo", add_echo},
    {"merge", add_merge},       {"compare", add_compare}, {"relay", add_relay},     {"send", add_send},
    {"recv", add_recv},         {"message", add_message}, {"struct", add_struct},   {"node", add_node},
    {"discover", add_discover}, {"beacon", add_beacon},
};

int run(int argc, char** argv) {
    CLI::App app("ringpost: UDP load generation, latency measurement and reliable messaging");
    app.set_help_flag("-h,--help", "print this help and exit");
    app.set_version_flag("--version", "ringpost " RINGPOST_VERSION, "print the version and exit");
    app.footer(value_help);  // inherited by the subcommands
    app.require_subcommand(1);
    Command chosen;
    // Registering only the named subcommand makes start-up faster. Without one, register all for --help.
    const std::string_view named = argc > 1 ? argv[1] : "";
    const bool known = std::ranges::find(subcommands, named, &Subcommand::name) != std::end(subcommands);
    for (const auto& [name, add] : subcommands)
        if (!known || name == named) add(app, chosen);
    app.footer("");
    try {
        const std::vector<std::string> arguments = escape_brackets(argc, argv);
        std::vector<const char*> pointers;
        pointers.reserve(arguments.size());
        for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
        app.parse(argc, pointers.data());
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {  // --help, --version
            app.exit(error);
            if (!std::cout.flush()) fail_to_write();
            return Exit::done;
        }
        // CLI11 reports a missing subcommand where the user gave an unknown one: name it instead.
        const CLI::App* innermost = &app;
        int next = 1;
        for (; !innermost->get_subcommands().empty(); ++next) innermost = innermost->get_subcommands().front();
        const bool unknown = innermost->get_require_subcommand_min() > 0 && argc > next && argv[next][0] != '-';
        throw Failure(Exit::usage,
                      unknown ? fmt::format("{}: no such subcommand; see --help", argv[next]) : error.what());
    }
    ringpost::catch_signals();
    return chosen();
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
    } catch (const std::exception& error) {
        return fail(ringpost::apps::Exit::failed, error.what());
    }
}
