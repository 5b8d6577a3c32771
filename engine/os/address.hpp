#pragma once

#include <netinet/in.h>

#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

/// An address as the kernel wants it, large enough for either family; aligned so that control messages may follow it.
union alignas(8) SocketAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

/// Writes `address` for a socket of `socket_family` (an IPv4 address goes mapped through an IPv6 socket) and returns
/// its length in bytes.
socklen_t to_socket_address(const Address& address, Family socket_family, SocketAddress& out);

/// The address of a sockaddr of either family; a mapped IPv4 address comes back as IPv4. Family::none for any other.
Address from_socket_address(const sockaddr& in);

/// `192.0.2.1:5005`, `[fe80::1%eth0]:5005`.
std::string to_text(const Address& address);
/// The same without the port and the brackets.
std::string ip_text(const Address& address);

/// A host name or literal address, `%interface` allowed. IPv4 is preferred when a name has both. The error names the
/// host.
Result<Address> resolve(std::string_view host, std::uint16_t port);

/// HOST:PORT, with an IPv6 literal in brackets. A malformed text is errno EINVAL; resolution failures are
/// EHOSTUNREACH.
Result<Address> resolve_host_port(std::string_view text);

/// Loopback, private (RFC 1918, RFC 4193) or link-local (RFC 3927, RFC 4291): a network that is likely one's own.
bool is_own_network(const Address& address);
bool is_loopback(const Address& address);
/// 0.0.0.0 or ::.
bool is_any(const Address& address);
/// A multicast group (RFC 1112, RFC 4291).
bool is_multicast(const Address& address);

}  // namespace ringpost
