#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

/// A network in CIDR notation (RFC 4632; RFC 4291, section 2.3).
struct Subnet {
    Address first;                   ///< its lowest address, without port and interface
    std::uint8_t prefix_bits = 128;  ///< of first.ip, where IPv4 is mapped: 96 more than in the text

    bool operator==(const Subnet&) const = default;
};

/// Parses ADDRESS/BITS, or ADDRESS alone. The error, EINVAL, is the reason without the text.
Result<Subnet> parse_subnet(std::string_view text);

/// An IPv4 network contains IPv4 addresses only, an IPv6 network IPv6 addresses only. Ports and interfaces do not
/// count.
bool contains(const Subnet& subnet, const Address& address);
/// Whether one of them contains the address.
bool contains(std::span<const Subnet> subnets, const Address& address);

}  // namespace ringpost
