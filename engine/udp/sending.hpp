#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>
#include "engine/udp/socket.hpp"

namespace ringpost {

/// How a socket sends, beside SocketOptions. The defaults change nothing.
struct SendingOptions {
    std::optional<std::uint8_t> dscp;       ///< differentiated services (RFC 2474), 0 to 63
    std::optional<std::uint8_t> hop_limit;  ///< of unicast
    /// Never fragment (RFC 1191, RFC 8201). `probe` also sends what exceeds the path MTU that the kernel has learnt.
    enum class Fragments : std::uint8_t { allowed, refused, probe } fragments = Fragments::allowed;
    Duration busy_poll = 0;  ///< a receive without data polls the device so long (SO_BUSY_POLL)
    std::string interface;   ///< uses this one only (SO_BINDTODEVICE); ""; any
};

/// Before connect(), if `interface` is given. An error names the option of the kernel.
Result<void> set_sending(const UdpSocket& socket, const SendingOptions& options);

/// Of a connected socket: the largest IP packet that the kernel sends to its peer without fragments.
std::optional<std::size_t> path_mtu(const UdpSocket& socket);
/// IP and UDP headers in front of a payload to a peer of this family.
std::size_t headers_bytes(Family family);

struct BufferSizes {
    int send = 0, receive = 0;
};
/// As granted.
BufferSizes buffer_sizes(const UdpSocket& socket);

}  // namespace ringpost
