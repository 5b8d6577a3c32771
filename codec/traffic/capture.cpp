// Parses from the outside in: link header, VLAN tags, PPPoE and PPP headers, IP header (RFC 791; RFC 8200 with
// extension headers), UDP header. Link-layer padding behind the IP packet is ignored.

#include "codec/traffic/capture.hpp"

#include <algorithm>
#include <iterator>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

using Bytes = std::span<const std::byte>;
using Extracted = std::expected<CapturedDatagram, Skip>;

constexpr std::uint16_t type_v4 = 0x0800, type_v6 = 0x86dd, type_arp = 0x0806;
constexpr std::uint16_t type_mpls = 0x8847, type_mpls_multicast = 0x8848;
constexpr std::uint16_t type_pppoe_discovery = 0x8863, type_pppoe_session = 0x8864;
/// 802.1Q, 802.1ad, and what switches used for stacked tags before 802.1ad.
constexpr std::uint16_t types_vlan[] = {0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};
constexpr std::uint16_t length_max = 1'500;  ///< a smaller type is a length (IEEE 802.3, 3.2.6)
constexpr std::uint8_t protocol_udp = 17;

std::uint8_t u8_at(Bytes bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
std::uint16_t u16_at(Bytes bytes, std::size_t at) { return load_be<std::uint16_t>(&bytes[at]); }

/// Of an IP packet that is not UDP.
Skip skipped_protocol(std::uint8_t protocol) {
    constexpr std::uint8_t icmp_v4 = 1, tcp = 6, icmp_v6 = 58;
    if (protocol == tcp) return Skip::tcp;
    return protocol == icmp_v4 || protocol == icmp_v6 ? Skip::icmp : Skip::other_protocol;
}

/// Of a frame that is neither IP nor a PPPoE session.
Skip skipped_type(std::uint16_t type) {
    if (type == type_arp) return Skip::arp;
    if (type == type_mpls || type == type_mpls_multicast) return Skip::mpls;
    if (type == type_pppoe_discovery) return Skip::pppoe;
    return type <= length_max ? Skip::llc : Skip::other;
}

/// The addresses of `packet` are those of its IP header.
Extracted udp(CapturedDatagram packet, Bytes bytes) {
    constexpr std::size_t header_bytes = 8;
    if (bytes.size() < header_bytes) return std::unexpected(Skip::cut);
    const std::size_t length = u16_at(bytes, 4);
    if (length < header_bytes || length > bytes.size()) return std::unexpected(Skip::cut);
    packet.source.port = u16_at(bytes, 0);
    packet.destination.port = u16_at(bytes, 2);
    packet.payload = bytes.first(length).subspan(header_bytes);
    return packet;
}

Address v4_address(Bytes at) { return Address::v4(u8_at(at, 0), u8_at(at, 1), u8_at(at, 2), u8_at(at, 3), 0); }

Address v6_address(Bytes at) {
    Address address{.family = Family::v6};
    for (std::size_t i = 0; i < address.ip.size(); ++i) address.ip[i] = u8_at(at, i);
    return address;
}

Extracted v4(Bytes bytes) {
    if (bytes.size() < 20) return std::unexpected(Skip::cut);
    if (u8_at(bytes, 0) >> 4 != 4) return std::unexpected(Skip::other);
    if (u8_at(bytes, 9) != protocol_udp) return std::unexpected(skipped_protocol(u8_at(bytes, 9)));
    constexpr std::uint16_t more_and_offset = 0x3fff;
    if ((u16_at(bytes, 6) & more_and_offset) != 0) return std::unexpected(Skip::fragment);
    const std::size_t header_bytes = std::size_t{4} * (u8_at(bytes, 0) & 15u), total = u16_at(bytes, 2);
    if (header_bytes < 20 || total < header_bytes || total > bytes.size()) return std::unexpected(Skip::cut);
    return udp({.source = v4_address(bytes.subspan(12)), .destination = v4_address(bytes.subspan(16)), .payload = {}},
               bytes.first(total).subspan(header_bytes));
}

Extracted v6(Bytes bytes) {
    constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination = 60;
    constexpr std::size_t header_bytes = 40;
    if (bytes.size() < header_bytes) return std::unexpected(Skip::cut);
    if (u8_at(bytes, 0) >> 4 != 6) return std::unexpected(Skip::other);
    const std::size_t length = u16_at(bytes, 4);
    std::uint8_t next = u8_at(bytes, 6);
    const CapturedDatagram packet{
        .source = v6_address(bytes.subspan(8)), .destination = v6_address(bytes.subspan(24)), .payload = {}};
    bytes = bytes.subspan(header_bytes);
    const bool whole = length <= bytes.size();
    if (whole) bytes = bytes.first(length);
    while (next != protocol_udp) {
        if (next != hop_by_hop && next != routing && next != fragment && next != destination)
            return std::unexpected(skipped_protocol(next));
        if (bytes.size() < 8) return std::unexpected(Skip::cut);
        constexpr std::uint16_t offset_and_more = 0xfff9;
        if (next == fragment && (u16_at(bytes, 2) & offset_and_more) != 0) return std::unexpected(Skip::fragment);
        const std::size_t extension_bytes = next == fragment ? 8 : (u8_at(bytes, 1) + std::size_t{1}) * 8;
        if (extension_bytes > bytes.size()) return std::unexpected(Skip::cut);
        next = u8_at(bytes, 0);
        bytes = bytes.subspan(extension_bytes);
    }
    return whole ? udp(packet, bytes) : std::unexpected(Skip::cut);
}

/// Parses a PPPoE session packet: version and type, code, session, length, and a PPP packet (RFC 1661, 2), whose
/// protocol may be compressed to one octet.
Extracted pppoe(Bytes packet) {
    constexpr std::size_t header_bytes = 6;
    constexpr std::uint16_t ppp_v4 = 0x0021, ppp_v6 = 0x0057;
    if (packet.size() < header_bytes) return std::unexpected(Skip::cut);
    const std::size_t length = u16_at(packet, 4);
    packet = packet.subspan(header_bytes);
    packet = packet.first(std::min(length, packet.size()));
    if (packet.size() < 2) return std::unexpected(Skip::cut);
    const bool compressed = (u8_at(packet, 0) & 1) != 0;
    const std::uint16_t protocol = compressed ? u8_at(packet, 0) : u16_at(packet, 0);
    if (protocol != ppp_v4 && protocol != ppp_v6) return std::unexpected(Skip::pppoe);
    packet = packet.subspan(compressed ? 1 : 2);
    return protocol == ppp_v4 ? v4(packet) : v6(packet);
}

/// Parses behind a link header of `header_bytes` whose type field is at `type_at`.
Extracted typed(Bytes packet, std::size_t header_bytes, std::size_t type_at) {
    if (packet.size() < header_bytes) return std::unexpected(Skip::cut);
    std::uint16_t type = u16_at(packet, type_at);
    packet = packet.subspan(header_bytes);
    while (std::ranges::find(types_vlan, type) != std::end(types_vlan)) {
        if (packet.size() < 4) return std::unexpected(Skip::cut);
        type = u16_at(packet, 2);
        packet = packet.subspan(4);
    }
    if (type == type_v4) return v4(packet);
    if (type == type_v6) return v6(packet);
    if (type == type_pppoe_session) return pppoe(packet);
    return std::unexpected(skipped_type(type));
}

}  // namespace

const char* describe(Skip skip) {
    switch (skip) {
        case Skip::tcp: return "TCP";
        case Skip::icmp: return "ICMP";
        case Skip::other_protocol: return "of another IP protocol";
        case Skip::fragment: return "fragmented";
        case Skip::cut: return "cut off";
        case Skip::arp: return "ARP";
        case Skip::mpls: return "MPLS";
        case Skip::pppoe: return "PPPoE without IP";
        case Skip::llc: return "802.3 LLC";
        case Skip::other: return "of another frame type";
    }
    return "";
}

Extracted udp_datagram(Link link, Bytes packet) {
    constexpr std::size_t family_bytes = 4;
    switch (link) {
        case Link::ethernet: return typed(packet, 14, 12);
        case Link::linux_cooked: return typed(packet, 16, 14);
        case Link::linux_cooked_2: return typed(packet, 20, 0);
        case Link::loopback: packet = packet.subspan(std::min(family_bytes, packet.size())); break;
        case Link::raw: break;
    }
    if (packet.empty()) return std::unexpected(Skip::cut);
    return u8_at(packet, 0) >> 4 == 6 ? v6(packet) : v4(packet);
}

}  // namespace ringpost::traffic
