#pragma once

// The subcommands. add_NAME registers one; what it sets `chosen` to is run after parsing.

#include <functional>

#include "apps/cli/cores.hpp"
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/cli/transport.hpp"

namespace ringpost::apps {

void add_sink(CLI::App& root, Command& chosen);
void add_echo(CLI::App& root, Command& chosen);
void add_load(CLI::App& root, Command& chosen);
void add_latency(CLI::App& root, Command& chosen);
void add_merge(CLI::App& root, Command& chosen);
void add_compare(CLI::App& root, Command& chosen);
void add_beacon(CLI::App& root, Command& chosen);
void add_message(CLI::App& root, Command& chosen);
void add_node(CLI::App& root, Command& chosen);
void add_discover(CLI::App& root, Command& chosen);
void add_relay(CLI::App& root, Command& chosen);
void add_send(CLI::App& root, Command& chosen);
void add_recv(CLI::App& root, Command& chosen);
void add_struct(CLI::App& root, Command& chosen);

/// load, latency: from the making of what sends to its first datagram, so that what is slow the first time is over.
inline constexpr Duration settle = 10 * millisecond;
/// load, latency: how often they look whether there is still somebody to send to.
inline constexpr Duration look_every = 100 * millisecond;

/// The arguments, with \x5b for [ in values of `struct send` that are in brackets: CLI11 would take them apart.
std::vector<std::string> without_brackets(int argc, const char* const* argv);

class SharedCounts;

/// What a server needs to know.
struct ServerOptions {
    CommonOptions common;
    TransportOptions transport;     ///< sink, echo, recv
    std::uint16_t port = 0;         ///< 0: the kernel chooses
    std::string bind;               ///< "" is every address
    std::vector<std::string> join;  ///< sink, echo: multicast groups, as typed
    EngineThreads threads;          ///< sink, echo
    End end = End::near;            ///< which cores its engines take
    bool verify = true;             ///< sink only, as are the next three
    bool one_way = false;           ///< record one-way times
    bool bidirectional = false;     ///< answer each frame with one
    std::string prometheus;
    bool broadcast = false;  ///< beacon only
    /// After the signal to stop, go on until nothing has come for so long: for a peer that has just sent its last.
    Duration linger = 0;
    const char* port_option = "--port";  ///< what `port` is called on the command line
    SharedCounts* counts = nullptr;      ///< sink only: where it writes what it has counted, many times a second
};

/// Called with the port once the server listens.
using OnListening = std::function<void(std::uint16_t port)>;

/// Serve until SIGINT or SIGTERM and return the summary; Failure when they cannot start.
Json run_sink(const ServerOptions& options, Report& report, const OnListening& on_listening);
Json run_echo(const ServerOptions& options, Report& report, const OnListening& on_listening);

/// --port and --bind.
void add_server(CLI::App& command, ServerOptions& options);

/// Failure unless `socket`, opened with `bind` for its --bind, can send to `target`, that of --to.
void refuse_out_of_reach(const UdpSocket& socket, const std::string& bind, const Address& target);

/// Opens the server's socket; a Failure names --port and the address.
UdpSocket open_server_socket(const ServerOptions& options);
/// One for each engine; they share a port, and the kernel spreads the peers over them.
std::vector<UdpSocket> open_server_sockets(ServerOptions options);

/// The value of a Result, or a Failure with its one line.
template <class T>
T value_or_fail(Result<T> result) {
    if (!result)
        throw Failure(is_unreachable(result.error().code) ? Exit::unreachable : Exit::failed, result.error().text);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// 130 or 143 after SIGINT or SIGTERM, else `code`.
int exit_code(int code);

}  // namespace ringpost::apps
