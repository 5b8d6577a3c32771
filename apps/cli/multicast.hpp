#pragma once

// Multicast on the command line: groups that a server joins, and how far and by which interface a sender's goes.

#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::apps {

/// --join, which may be repeated.
void add_join(CLI::App& command, std::vector<std::string>& groups);
/// Joins each GROUP or GROUP@INTERFACE. Failure with one line that names what cannot be joined.
void join_groups(UdpSocket& socket, const std::vector<std::string>& groups);

struct MulticastOptions {
    std::string interface;   ///< "": the routes choose
    std::optional<int> ttl;  ///< 1 when not said: it stays on the link

    bool given() const { return !interface.empty() || ttl.has_value(); }
};

/// --interface, --ttl.
void add_multicast(CLI::App& command, MulticastOptions& options);

/// Before `socket` sends to `target`: what is asked for, where that is a multicast group; members on this host hear it
/// too. A connected socket keeps the route it was connected by, so use open_connected() for one. Failure when the
/// options were given for a target that is no group, or there is no such interface.
void set_multicast(UdpSocket& socket, const Address& target, const MulticastOptions& options);

/// As UdpSocket::open(options), whose `connect` is the target; where that is a group, after set_multicast().
Result<UdpSocket> open_connected(const SocketOptions& options, const MulticastOptions& multicast);

/// As the overload without multicast options. A group is foreign unless sent to by the interface `lo`.
void check_target_network(const Address& target, const MulticastOptions& options, ForeignTargets foreign);

}  // namespace ringpost::apps
