#pragma once

// What open() refuses: options outside of their range. The error is EINVAL and names the option, its value and the
// range: `protocol.sends_max 1000: must be a power of two from 1 to 16777216`.

#include <optional>

#include <ringpost/beacon.hpp>
#include <ringpost/confirmed.hpp>
#include <ringpost/connection.hpp>
#include <ringpost/devices.hpp>
#include <ringpost/error.hpp>
#include <ringpost/gtudp.hpp>
#include <ringpost/socket_options.hpp>
#include <ringpost/structs.hpp>

namespace ringpost {

std::optional<Error> check_options(const EngineOptions& options);
std::optional<Error> check_options(const SocketOptions& options);
std::optional<Error> check_options(const gtudp::OpenOptions& options);
std::optional<Error> check_options(const confirmed::OpenOptions& options);
std::optional<Error> check_options(const devices::NodeOptions& options);
std::optional<Error> check_options(const structs::OpenOptions& options);
std::optional<Error> check_options(const beacon::OpenOptions& options);
std::optional<Error> check_options(const ConnectOptions& options);
std::optional<Error> check_options(const ListenOptions& options);

/// Whether a socket bound to `local` can send to `peer`: it has a port, and an address of a family that the socket
/// reaches. An IPv6 socket reaches IPv4 addresses if it is bound to the wildcard address.
inline bool may_be_peer(const Address& peer, const Address& local) {
    if (peer.port == 0 || peer.family == Family::none) return false;
    if (peer.family == local.family) return true;
    return local.family == Family::v6 && local.ip == Address{}.ip;
}

}  // namespace ringpost
