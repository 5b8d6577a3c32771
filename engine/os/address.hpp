#pragma once

#include <netinet/in.h>

#include <string>

#include <ringpost/address.hpp>
#include <ringpost/network.hpp>

namespace ringpost {

/// A sockaddr of either family; aligned so that control messages may follow it in memory.
union alignas(8) SocketAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

/// Converts `address` for a socket of `socket_family` and returns the length in bytes. For an IPv6 socket, IPv4
/// addresses are mapped (::ffff:a.b.c.d).
socklen_t to_socket_address(const Address& address, Family socket_family, SocketAddress& out);

/// The inverse; mapped IPv4 addresses become IPv4. Family::none if `in` is of neither family.
Address from_socket_address(const sockaddr& in);

/// The public functions, for names with an address of one family only; Family::none: of any.
Result<Address> resolve(std::string_view host, std::uint16_t port, Family family);
Result<Address> resolve_host_port(std::string_view text, Family family);

/// As to_text(), without port and brackets.
std::string ip_text(const Address& address);

/// A link-local address, or a link-local or interface-local group, without its interface.
bool needs_interface(const Address& address);

/// Loopback, private (RFC 1918, RFC 4193) or link-local (RFC 3927, RFC 4291).
bool is_private_network(const Address& address);
bool is_loopback(const Address& address);
/// 0.0.0.0 or ::.
bool is_any(const Address& address);
/// A multicast group (RFC 1112, RFC 4291).
bool is_multicast(const Address& address);

}  // namespace ringpost
