#pragma once

// Multicast options: the groups that a server joins, the interface and the TTL of a sender.

#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::apps {

/// --join, repeatable.
void add_join(CLI::App& command, std::vector<std::string>& groups);
/// Joins each GROUP or GROUP@INTERFACE. Throws a Failure that names the first one that cannot be joined.
void join_groups(UdpSocket& socket, const std::vector<std::string>& groups);

struct MulticastOptions {
    std::string interface;   ///< "": by the routing table
    std::optional<int> ttl;  ///< default 1: stays on the link

    bool given() const { return !interface.empty() || ttl.has_value(); }
};

/// --interface, --ttl.
void add_multicast(CLI::App& command, MulticastOptions& options);

/// Applies the options to `socket` if `target` is a multicast group; members on this host receive its datagrams as
/// well. A connected socket keeps the route chosen by connect(): use open_connected() for one. Throws a Failure if
/// options were given for a target that is not a group, or if the interface does not exist.
void set_multicast(UdpSocket& socket, const Address& target, const MulticastOptions& options);

/// Opens a socket connected to `options.connect`, after set_multicast() if that is a group.
Result<UdpSocket> open_connected(const SocketOptions& options, const MulticastOptions& multicast);

/// The same check for targets that may be groups: a group counts as foreign unless --interface is lo.
void check_target_network(const Address& target, const MulticastOptions& options, ForeignTargets foreign);

}  // namespace ringpost::apps
