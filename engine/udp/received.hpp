#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include <span>
#include <vector>

#include "engine/udp/socket.hpp"

namespace ringpost {

/// One receive from the kernel: a datagram, or a train of equal segments of which the last may be shorter. `bytes` are
/// valid until the backend's next enter().
struct Received {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    std::size_t segment_bytes = 0;  ///< equal to the length for a single datagram
    Instant stamped_at = never;     ///< receive time, in now()'s scale; `never` without SocketOptions::stamps
    Address local{};                ///< the local address it was sent to; Family::none when unknown
    Ecn ecn = Ecn::not_capable;     ///< with SocketOptions::ecn
    /// With SocketOptions::hop_limits; 0 for a multicast or broadcast destination, which is sent with a limit of its
    /// own.
    std::uint8_t hop_limit = 0;
};

/// The output of recvmsg(). `source` is null on a connected socket; `control` may be null.
struct ReceivedMessage {
    std::span<const std::byte> bytes;
    const sockaddr* source = nullptr;
    void* control = nullptr;
    std::size_t control_bytes = 0;
};

/// Converts a message received by `socket`, whose index is `index`. Its time stamp is in CLOCK_REALTIME until
/// settle_stamps().
Received make_received(const UdpSocket& socket, SocketIndex index, const ReceivedMessage& message);

/// Appends the train to `out`, unless its socket does not allow the source.
void take_received(const UdpSocket& socket, const Received& train, std::vector<Received>& out,
                   EngineCounters& counters);

/// Converts the stamps of a batch from CLOCK_REALTIME to now()'s scale. Reads no clock if there is no stamp.
void settle_stamps(std::span<Received> batch);

void count_received(EngineCounters& counters, std::span<const Received> batch);

/// Maximum per reap(), so that timers and sends make progress under any load.
inline constexpr std::size_t received_max = 64;

/// Holds the largest train. The kernel silently truncates trains to smaller buffers.
inline constexpr std::size_t receive_buffer_bytes = 65'536;

/// A polling turn receives from every socket directly up to this many; beyond, the kernel reports which are ready.
inline constexpr std::size_t polled_sockets_max = 4;

}  // namespace ringpost
