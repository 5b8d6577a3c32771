// ringpost: one command, a subcommand per job.

#include <fmt/core.h>

#include <cstdio>

#include "apps/commands.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {

UdpSocket open_server_socket(const ServerOptions& options) {
    SocketOptions socket;
    socket.bind = bind_address(options.bind, options.port);
    socket.gro = options.common.gro;
    auto opened = UdpSocket::open(socket);
    if (!opened) throw Failure(Exit::usage, fmt::format("--port {}: {}", options.port, opened.error().text));
    return std::move(*opened);
}

int exit_code(int code) { return StopSignals::received() != 0 ? 128 + StopSignals::received() : code; }

}  // namespace ringpost::apps

namespace {

int run(int argc, char** argv) {
    using namespace ringpost::apps;
    CLI::App app("ringpost: datagrams that arrive, and the numbers to prove it");
    app.set_version_flag("--version", "ringpost " RINGPOST_VERSION);
    app.require_subcommand(1);
    Command chosen;
    add_load(app, chosen);
    add_sink(app, chosen);
    add_latency(app, chosen);
    add_echo(app, chosen);
    add_beacon(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        throw Failure(Exit::usage, error.what());
    }
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
