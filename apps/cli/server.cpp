#include "apps/cli/server.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <utility>

#include "apps/cli/multicast.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {

UdpSocket open_server_socket(const ServerOptions& options) {
    SocketOptions socket;
    socket.bind = bind_address(options.bind, options.port);
    socket.gro = options.common.gro;
    socket.broadcast = options.broadcast;
    socket.hop_limits = options.hop_limits;
    socket.allowed = options.allowed;
    socket.reuse_port = options.threads.count > 1;
    auto opened = UdpSocket::open(socket);
    if (!opened) fail_to_open(options, opened.error());
    return std::move(*opened);
}

std::string listening_text(const Address& local) {
    const char* const all = local.family == Family::v4 ? "all IPv4 addresses" : "all addresses";
    return fmt::format("{}, port {}", is_any(local) ? all : ip_text(local), local.port);
}

std::string not_allowed_text(const Json& summary) {
    return fmt::format("ignored, source not allowed {}", grouped(summary["not_allowed"].get<std::uint64_t>()));
}

Json listening_json(const Address& local) { return {{"address", ip_text(local)}, {"port", local.port}}; }

void fail_to_open(const ServerOptions& options, const Error& error) {
    if (error.code == EAFNOSUPPORT && !options.bind.empty())
        throw Failure(Exit::usage, fmt::format("--bind {}: this host has no IPv6", options.bind));
    if (!error.text.starts_with("bind ")) throw Failure(Exit::failed, error.text);  // not the fault of an option
    if (error.code == EADDRNOTAVAIL)
        throw Failure(Exit::usage, fmt::format("--bind {}: is not an address of this host", options.bind));
    const char* const hint = error.code == EACCES ? "; low ports need root or CAP_NET_BIND_SERVICE" : "";
    throw Failure(Exit::usage, fmt::format("{} {}: {}{}", options.port_option, options.port, error.text, hint));
}

void check_address_family(const Address& local, const std::string& bind, const Address& target) {
    const bool dual_stack = local.family == Family::v6 && local.ip == Address{}.ip;
    if (dual_stack || local.family == target.family) return;
    const char* const family = target.family == Family::v6 ? "IPv6" : "IPv4";
    if (bind.empty())
        throw Failure(Exit::unreachable, fmt::format("--to {}: this host has no {}", to_text(target), family));
    throw Failure(Exit::usage, fmt::format("--to {}: --bind {} cannot reach {}", to_text(target), bind, family));
}

void check_not_itself(const Address& local, const std::string& to, const Address& target, const char* who) {
    const bool only_ipv4 = local.family == Family::v4 && target.family == Family::v6;
    if (local.port != target.port || only_ipv4 || is_multicast(target)) return;
    // The source that the kernel chooses toward an address of this host is that address.
    const auto source = source_address_toward(target);
    if (!source) return;
    // 0.0.0.0 as a destination is the source, :: is ::1.
    const bool any_v4 = is_any(target) && target.family == Family::v4;
    const auto& destination = is_any(target) ? source->ip : target.ip;
    const bool on_this_host = is_any(target) || is_loopback(target) || source->ip == target.ip;
    if (is_any(local) ? on_this_host : any_v4 || local.ip == destination)
        throw Failure(Exit::usage, fmt::format("--to {}: reaches {} itself, on port {}", to, who, local.port));
}

std::vector<UdpSocket> open_server_sockets(const ServerOptions& options) {
    std::vector<UdpSocket> sockets;
    ServerOptions each = options;
    if (options.threads.count > 1 && options.port != 0) {
        // SO_REUSEPORT would share the port with a server that already uses it: bind once without it to find out.
        ServerOptions alone = options;
        alone.threads.count = 1;
        open_server_socket(alone);
    }
    for (std::uint32_t i = 0; i < options.threads.count; ++i) {
        sockets.push_back(open_server_socket(each));
        // Every member socket receives a copy of a group's datagrams, so only the first one joins.
        if (i == 0) join_groups(sockets.front(), options.join);
        each.port = sockets.front().local().port;
    }
    return sockets;
}

void add_server(CLI::App& command, ServerOptions& options) {
    begin_group(command, "Listening");
    add_parsed(command, "--port", options.port, parse_port, "UDP port to listen on; 0 for any free port")->required();
    command.add_option("--bind", options.bind, "local address to listen on (default all)")->type_name("ADDRESS");
}

void add_allow(CLI::App& command, ServerOptions& options, Allowed allowed) {
    begin_group(command, "Listening");
    const bool clients = allowed == Allowed::networks_or_clients;
    const auto parse = [&options, clients](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            const auto subnet = parse_subnet(text);
            if (subnet) {
                options.allowed.push_back(*subnet);
                continue;
            }
            const std::string error = fmt::format("--allow {}: {}", shown_value(text), subnet.error().text);
            TransportOptions& transport = options.transport;
            if (!clients || text.empty() || !transport.allow.empty()) throw CLI::ValidationError(error);
            transport.allow = text;
            transport.allow_error = error;
        }
    };
    command
        .add_option_function<std::vector<std::string>>(
            "--allow", parse,
            clients ? "network or address to serve, others are ignored; repeatable; native: or a file with the public "
                      "keys and names of clients, read again after SIGHUP (default all)"
                    : "network or address to serve, others are ignored; repeatable (default all)")
        ->type_name(clients ? "CIDR|FILE" : "CIDR")
        ->allow_extra_args(false);
}

}  // namespace ringpost::apps
