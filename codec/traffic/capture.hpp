#pragma once

// Extracts UDP payloads from captured packets.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

namespace ringpost::traffic {

/// Header with which a captured packet starts.
enum class Link : std::uint8_t {
    ethernet,       ///< IEEE 802.3, with or without VLAN tags
    raw,            ///< an IP header
    linux_cooked,   ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
    linux_cooked_2  ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
};

/// Why a packet has no usable payload.
enum class Skip : std::uint8_t {
    other,     ///< not UDP over IPv4 or IPv6
    fragment,  ///< a fragment, not a whole datagram
    cut,       ///< the capture is truncated, or the lengths are inconsistent
};

/// Returns a view of the UDP payload in `packet`, possibly empty. Checksums are not verified, because captures on the
/// sending host usually precede checksum offload.
std::expected<std::span<const std::byte>, Skip> udp_payload(Link link, std::span<const std::byte> packet);

}  // namespace ringpost::traffic
