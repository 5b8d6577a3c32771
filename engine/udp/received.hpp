#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include <span>

#include "engine/udp/socket.hpp"

namespace ringpost {

/// One delivery by the kernel: a datagram, or a train of equal segments of which the last may be shorter. `bytes` are
/// valid until the backend's next enter().
struct Received {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    std::size_t segment_bytes = 0;  ///< equal to the length for a single datagram
    Instant stamped_at = never;     ///< of now(): when the kernel received it; `never` unless its socket stamps
    Address local{};                ///< the local address it was sent to; Family::none when unknown
    Ecn ecn = Ecn::not_capable;     ///< where the socket reports it
};

/// What recvmsg() left: `source` is null on a connected socket, `control` may be.
struct ReceivedMessage {
    std::span<const std::byte> bytes;
    const sockaddr* source = nullptr;
    void* control = nullptr;
    std::size_t control_bytes = 0;
};

/// The delivery in a message that arrived at `socket`, whose index is `index`. Its time stamp is the wall clock's until
/// settle_stamps().
Received make_received(const UdpSocket& socket, SocketIndex index, const ReceivedMessage& message);

/// Converts the stamps of a batch from the wall clock, as it stands now, to now()'s scale. Reads no clock when there is
/// no stamp.
void settle_stamps(std::span<Received> batch);

void count_received(EngineCounters& counters, std::span<const Received> batch);

/// Most deliveries of one reap(), so that timers and sends get their turn under any load.
inline constexpr std::size_t received_max = 64;

/// A receive buffer holds the largest train: the kernel truncates trains silently to a buffer below 64 KiB.
inline constexpr std::size_t receive_buffer_bytes = 65'536;

/// A polling turn tries to receive from every socket up to this many, and beyond asks the kernel which are ready.
inline constexpr std::size_t tried_sockets_max = 4;

}  // namespace ringpost
