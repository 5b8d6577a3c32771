#pragma once

#include <cstddef>
#include <cstdint>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include <span>

namespace ringpost {

/// One delivery by the kernel: a datagram, or a train of equal segments of which the last may be shorter. The bytes are
/// valid until the next wait().
struct Received {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    std::size_t segment_bytes = 0;  ///< equal to the length for a single datagram
    Instant stamped_at = never;     ///< of now(): when the kernel took it in; `never` unless its socket stamps
};

/// Deliveries one receive() returns at most, so that timers and sends get their turn under any load.
inline constexpr std::size_t received_max = 64;

/// A receive buffer holds the largest train: one below 64 KiB would cut trains short in silence.
inline constexpr std::size_t receive_buffer_bytes = 65'536;

/// A polling turn tries each socket while there are no more than these, and asks the kernel which are ready beyond.
inline constexpr std::size_t tried_sockets_max = 4;

}  // namespace ringpost
