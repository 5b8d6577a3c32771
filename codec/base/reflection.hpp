#pragma once

#include <cstdint>
#include <ringpost/datagram.hpp>

namespace ringpost {

/// Whether replies to this port could be returned for ever, so that nothing must be sent to it: echo (RFC 862), chargen
/// (RFC 864), and 0, which is not a valid source port.
constexpr bool reflects(std::uint16_t port) { return port == 7 || port == 19 || port == 0; }

/// Whether the datagram claims to come from the address and port that it was sent to. The interface of a link-local
/// address does not count: a host's own datagrams arrive by loopback.
inline bool from_itself(const Datagram& in) {
    return in.local.family != Family::none && in.source.ip == in.local.ip && in.source.port == in.local.port;
}

/// A reply, or a forwarded datagram, has a hop less than what it is made from, as behind a router. So a loop, even
/// through several hosts, ends after 255 hops. `hop_limit` is that of the received datagram; 0: unknown, and the
/// result is 0 (Transmit::hop_limit: the socket's own).
constexpr bool is_last_hop(std::uint8_t hop_limit) { return hop_limit == 1; }
constexpr std::uint8_t next_hop_limit(std::uint8_t hop_limit) {
    return hop_limit == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(hop_limit - 1);
}

}  // namespace ringpost
