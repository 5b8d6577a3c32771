#include "apps/cli/multicast.hpp"

#include <fmt/core.h>

#include <cerrno>

#include "apps/cli/failure.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// The default is 1 (RFC 1112, section 6.1). 0 would keep datagrams on this host, which is what --self does.
std::optional<int> parse_ttl(const std::string& text) { return static_cast<int>(parse_whole(text, 1, 255)); }

std::string multicast_error(const std::string& interface, const Error& error) {
    return error.code == ENODEV ? fmt::format("--interface {}: no interface has this name", interface)
                                : fmt::format("--interface {}: {}", interface, error.text);
}

}  // namespace

void add_join(CLI::App& command, std::vector<std::string>& groups) {
    begin_group(command, "Listening");
    command.add_option("--join", groups, "multicast group to join; repeatable (default none)")
        ->type_name("GROUP[@INTERFACE]")
        ->allow_extra_args(false);
}

void join_groups(UdpSocket& socket, const std::vector<std::string>& groups) {
    for (const std::string& text : groups) {
        const auto at = text.find('@');
        const auto group = resolve(text.substr(0, at), 0);
        if (!group || !is_multicast(*group) || at == text.size() - 1)
            throw Failure(Exit::usage, fmt::format("--join {}: expected a multicast group such as 239.1.2.3, "
                                                   "239.1.2.3@eth0 or ff15::1234@eth0",
                                                   text));
        const std::string interface = at == std::string::npos ? "" : text.substr(at + 1);
        if (const auto joined = socket.join(*group, interface); !joined)
            throw Failure(Exit::usage, fmt::format("--join {}: {}", text, joined.error().text));
    }
}

void add_multicast(CLI::App& command, MulticastOptions& options) {
    command
        .add_option("--interface", options.interface, "outgoing interface of multicast (default by the routing table)")
        ->type_name("INTERFACE");
    add_parsed(command, "--ttl", options.ttl, parse_ttl,
               "time to live, 1 to 255 hops (default 1 of multicast, the local link; otherwise that of the system)")
        ->type_name("HOPS");
}

void set_multicast(UdpSocket& socket, const Address& target, const MulticastOptions& options) {
    if (!is_multicast(target)) {
        if (options.interface.empty()) return;
        throw Failure(Exit::usage, fmt::format("--interface: {} is not a multicast group; use --bind %{}",
                                               to_text(target), options.interface));
    }
    if (needs_interface(target) && options.interface.empty())
        throw Failure(Exit::usage, fmt::format("--to {}: a link-local group needs its interface: --interface eth0",
                                               to_text(target)));
    const auto set = socket.configure_multicast(options.interface, options.ttl.value_or(1), MulticastLoop::on);
    if (!set) throw Failure(Exit::usage, multicast_error(options.interface, set.error()));
}

Result<UdpSocket> open_connected(const SocketOptions& options, const MulticastOptions& multicast) {
    SocketOptions unconnected = options;
    if (is_multicast(options.connect)) unconnected.connect = {};
    if (unconnected.connect != options.connect && options.bind.family == Family::none)
        unconnected.bind = options.connect.family == Family::v4 ? Address::v4(0, 0, 0, 0, 0) : any_address(0);
    auto socket = UdpSocket::open(unconnected);
    if (!socket) return socket;
    set_multicast(*socket, options.connect, multicast);
    if (unconnected.connect == options.connect) return socket;
    if (auto connected = socket->connect(options.connect); !connected) return std::unexpected(connected.error());
    return socket;
}

void check_target_network(const Address& target, const MulticastOptions& options, ForeignTargets foreign) {
    if (!is_multicast(target)) return check_target_network(target, foreign);
    if (foreign == ForeignTargets::allowed || options.interface == "lo") return;
    throw Failure(Exit::usage, fmt::format("--to {}: a group reaches every host that has joined it; give "
                                           "--i-own-this-network if all of them are yours to load",
                                           to_text(target)));
}

}  // namespace ringpost::apps
