#pragma once

// Extracts UDP datagrams from captured packets.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include <ringpost/address.hpp>

namespace ringpost::traffic {

/// Header with which a captured packet starts.
enum class Link : std::uint8_t {
    ethernet,        ///< IEEE 802.3
    raw,             ///< an IP header
    linux_cooked,    ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
    linux_cooked_2,  ///< https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
    loopback         ///< NULL and LOOP: four bytes with the address family, as BSD and macOS write them on loopback
};

/// Why a packet has no usable payload.
enum class Skip : std::uint8_t {
    tcp,
    icmp,            ///< of either family
    other_protocol,  ///< IP with another protocol
    fragment,        ///< a fragment, not a whole datagram
    cut,             ///< the capture is truncated, or the lengths are inconsistent
    arp,
    mpls,
    pppoe,  ///< PPPoE discovery, or a session frame that has no IP packet
    llc,    ///< IEEE 802.3 with a length instead of a type, as of spanning trees
    other,  ///< another type of frame
};
inline constexpr std::size_t skips = static_cast<std::size_t>(Skip::other) + 1;

/// For users, behind a count: `TCP`, `fragmented`.
const char* describe(Skip skip);

struct CapturedDatagram {
    Address source, destination;
    std::span<const std::byte> payload;  ///< in the packet, possibly empty
};

/// Finds the UDP datagram in `packet`. VLAN tags (802.1Q, 802.1ad, 0x9100 and its like,
/// stacked or not) and PPPoE sessions (RFC 2516) are unwrapped. Checksums are not verified, because captures on the
/// sending host usually precede checksum offload.
std::expected<CapturedDatagram, Skip> udp_datagram(Link link, std::span<const std::byte> packet);

}  // namespace ringpost::traffic
