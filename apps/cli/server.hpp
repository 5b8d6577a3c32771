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

/// Options of every command that listens.
struct ServerOptions {
    CommonOptions common;
    TransportOptions transport;          ///< sink, echo, recv
    std::uint16_t port = 0;              ///< 0: the kernel chooses
    std::string bind;                    ///< "": every address
    std::vector<std::string> join;       ///< sink, echo: multicast groups as given
    ThreadOptions threads;               ///< sink, echo
    std::vector<Subnet> allowed;         ///< --allow; empty: everybody
    bool broadcast = false;              ///< beacon only
    bool hop_limits = false;             ///< echo, relay: report those of received datagrams
    const char* port_option = "--port";  ///< the option that sets `port`
};

/// --port and --bind.
void add_server(CLI::App& command, ServerOptions& options);
/// Whom --allow names.
enum class Allowed : std::uint8_t {
    networks,
    networks_or_clients,  ///< a list of clients too, for the native transport
};
/// --allow, repeatable.
void add_allow(CLI::App& command, ServerOptions& options, Allowed allowed = Allowed::networks);

/// Where a server listens, as in `echo listening on 127.0.0.1, port 7777`; all addresses of a host are `all addresses`.
std::string listening_text(const Address& local);
/// `ignored, source not allowed 12`: what --allow dropped, of a summary.
std::string not_allowed_text(const Json& summary);
/// The members `address` and `port` of the event `listening`.
Json listening_json(const Address& local);

/// Throws a Failure if a socket bound to `local` cannot send to `target` because one is IPv4 and the other IPv6. `bind`
/// and `target` are the values of --bind and --to.
void check_address_family(const Address& local, const std::string& bind, const Address& target);

/// Throws a Failure if what a socket bound to `local` sends to `target`, the value `to` of --to, would come back to
/// that socket: its own port, on a local address that it receives. `who` names the socket: `the relay`.
void check_not_itself(const Address& local, const std::string& to, const Address& target, const char* who);

/// Throws a Failure that names the option at fault: why the server's socket could not be opened.
[[noreturn]] void fail_to_open(const ServerOptions& options, const Error& error);
/// Opens and binds the server's socket; a Failure names the option at fault.
UdpSocket open_server_socket(const ServerOptions& options);
/// Opens a socket per engine. They share the port, and the kernel distributes the peers among them.
std::vector<UdpSocket> open_server_sockets(const ServerOptions& options);

}  // namespace ringpost::apps
