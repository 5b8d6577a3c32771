#pragma once

// Sockets of commands that listen.

#include <cstdint>
#include <ringpost/address.hpp>
#include <string>
#include <vector>

#include "apps/cli/cores.hpp"
#include "apps/cli/options.hpp"
#include "apps/cli/transport.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::apps {

/// What every command that listens knows.
struct ServerOptions {
    CommonOptions common;
    TransportOptions transport;          ///< sink, echo, recv
    std::uint16_t port = 0;              ///< 0: the kernel chooses
    std::string bind;                    ///< "": every address
    std::vector<std::string> join;       ///< sink, echo: multicast groups, as typed
    ThreadOptions threads;               ///< sink, echo
    bool broadcast = false;              ///< beacon only
    const char* port_option = "--port";  ///< what `port` is called on the command line
};

/// --port and --bind.
void add_server(CLI::App& command, ServerOptions& options);

/// Failure unless `socket`, opened with `bind` for its --bind, can send to `target`, that of --to.
void refuse_out_of_reach(const UdpSocket& socket, const std::string& bind, const Address& target);

/// Opens the server's socket; a Failure names --port and the address.
UdpSocket open_server_socket(const ServerOptions& options);
/// One for each engine; they share a port, and the kernel spreads the peers over them.
std::vector<UdpSocket> open_server_sockets(ServerOptions options);

}  // namespace ringpost::apps
