#pragma once

// UDP payloads out of captured packets.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

namespace ringpost::traffic {

/// What a captured packet begins with.
enum class Link : std::uint8_t {
    ethernet,       ///< IEEE 802.3, with or without VLAN tags
    raw,            ///< an IP header
    linux_cooked,   ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
    linux_cooked_2  ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
};

/// Why there is no payload.
enum class Skip : std::uint8_t {
    other,     ///< not UDP over IPv4 or IPv6
    fragment,  ///< of a datagram: not the whole of it
    cut,       ///< the capture ends before the datagram does, or its lengths contradict one another
};

/// The payload of the UDP datagram in `packet`, a view of it; it may be empty. Checksums are not looked at: hosts
/// capture what they send before their cards fill these in.
std::expected<std::span<const std::byte>, Skip> udp_payload(Link link, std::span<const std::byte> packet);

}  // namespace ringpost::traffic
