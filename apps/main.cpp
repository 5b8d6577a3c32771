// ringpost: one command, a subcommand per job.

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "apps/cli/multicast.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {

UdpSocket open_server_socket(const ServerOptions& options) {
    SocketOptions socket;
    socket.bind = bind_address(options.bind, options.port);
    socket.gro = options.common.gro;
    socket.broadcast = options.broadcast;
    socket.reuse_port = options.threads.count > 1;
    auto opened = UdpSocket::open(socket);
    if (opened) return std::move(*opened);
    // Only the bind is the user's doing.
    const bool bind_failed = opened.error().text.starts_with("bind ");
    const std::string option = opened.error().code == EADDRNOTAVAIL
                                   ? "--bind " + options.bind
                                   : fmt::format("{} {}", options.port_option, options.port);
    throw Failure(bind_failed ? Exit::usage : Exit::failed,
                  bind_failed ? option + ": " + opened.error().text : opened.error().text);
}

void refuse_out_of_reach(const UdpSocket& socket, const std::string& bind, const Address& target) {
    const Address local = socket.local();
    const bool reaches_both = local.family == Family::v6 && local.ip == Address{}.ip;
    if (reaches_both || local.family == target.family) return;
    throw Failure(Exit::usage, fmt::format("--to {}: {} cannot reach {}", to_text(target),
                                           bind.empty() ? "this host" : "--bind " + bind,
                                           target.family == Family::v6 ? "IPv6" : "IPv4"));
}

std::vector<UdpSocket> open_server_sockets(ServerOptions options) {
    std::vector<UdpSocket> sockets;
    if (options.threads.count > 1 && options.port != 0) {
        // Shared among our own engines, the port would also be shared with a server that is there already.
        ServerOptions alone = options;
        alone.threads.count = 1;
        open_server_socket(alone);
    }
    for (std::uint32_t i = 0; i < options.threads.count; ++i) {
        sockets.push_back(open_server_socket(options));
        // What goes to a group would come to each socket that is a member, not to one of them.
        if (i == 0) join_groups(sockets.front(), options.join);
        options.port = sockets.front().local().port;
    }
    return sockets;
}

void add_server(CLI::App& command, ServerOptions& options) {
    add_parsed(command, "--port", options.port, parse_port, "UDP port to listen on; 0 lets the kernel choose")
        ->required();
    command.add_option("--bind", options.bind, "local address to listen on (default: all)");
}

int exit_code(int code) { return received_signal() != 0 ? 128 + received_signal() : code; }

}  // namespace ringpost::apps

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
    CLI::App app("ringpost: datagrams that arrive, and the numbers to prove it");
    app.set_version_flag("--version", "ringpost " RINGPOST_VERSION);
    app.require_subcommand(1);
    Command chosen;
    // One that is named needs its own options alone, and starts the sooner for it.
    const std::string_view named = argc > 1 ? argv[1] : "";
    const bool known = std::ranges::find(subcommands, named, &Subcommand::name) != std::end(subcommands);
    for (const auto& [name, add] : subcommands)
        if (!known || name == named) add(app, chosen);
    try {
        const std::vector<std::string> arguments = without_brackets(argc, argv);
        std::vector<const char*> pointers;
        pointers.reserve(arguments.size());
        for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
        app.parse(argc, pointers.data());
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        // Where a subcommand was wanted, what stands there instead is none.
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
    std::fprintf(stderr, "ringpost: %s\n", text);
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const ringpost::apps::Failure& failure) {
        return fail(failure.exit_code, failure.what());
    } catch (const std::exception& error) {
        return fail(ringpost::apps::Exit::failed, error.what());
    }
}
