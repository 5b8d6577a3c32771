#pragma once

// Addresses as text, and networks. Thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>

namespace ringpost {

/// The wildcard address with `port`: :: (dual-stack) if the host has IPv6, otherwise 0.0.0.0.
RINGPOST_API Address any_address(std::uint16_t port);

/// `192.0.2.1:5005`, `[fe80::1%eth0]:5005`.
RINGPOST_API std::string to_text(const Address& address);

/// Resolves a host name or literal address; a link-local IPv6 address needs its `%interface`. Prefers IPv4. Blocks in
/// getaddrinfo(3) for a name. The error names the host: EINVAL if the text is malformed, ENODEV if the interface does
/// not exist, EHOSTUNREACH if the name does not resolve.
RINGPOST_API Result<Address> resolve(std::string_view host, std::uint16_t port);

/// Resolves HOST:PORT, IPv6 literals in brackets. Errors as of resolve().
RINGPOST_API Result<Address> resolve_host_port(std::string_view text);

/// A network in CIDR notation (RFC 4632; RFC 4291, section 2.3).
struct Subnet {
    Address first{};                 ///< its lowest address, without port and interface
    std::uint8_t prefix_bits = 128;  ///< of first.ip, where IPv4 is mapped: 96 more than in the text

    bool operator==(const Subnet&) const = default;
};

/// Parses ADDRESS/BITS, or ADDRESS alone. The error, EINVAL, is the reason without the text.
RINGPOST_API Result<Subnet> parse_subnet(std::string_view text);

/// An IPv4 network contains IPv4 addresses only, an IPv6 network IPv6 addresses only. Ports and interfaces do not
/// count.
RINGPOST_API bool contains(const Subnet& subnet, const Address& address);
/// Whether one of them contains the address.
RINGPOST_API bool contains(std::span<const Subnet> subnets, const Address& address);

}  // namespace ringpost
