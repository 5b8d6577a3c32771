#pragma once

// What the faces return as memory_bytes(): upper bounds of what open() reserves or, where texts are allocated as they
// come, of what an object can hold. Tests compare them with what the process maps or allocates.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <ringpost/confirmed.hpp>
#include <ringpost/devices.hpp>
#include <ringpost/gtudp.hpp>
#include "codec/devices/limits.hpp"
#include "engine/tcp/streams.hpp"

namespace ringpost {

/// A backend with its buffers: those for receiving and sending, and the provided ones of a ring.
inline std::size_t engine_budget(std::string_view backend) { return backend == "uring" ? 10u << 20 : 6u << 20; }

namespace gtudp {

/// An endpoint: for each entry of its tables what that needs in all of them, and its queues.
inline std::size_t endpoint_budget(const ProtocolOptions& options) {
    const bool windows = options.congestion != CongestionControl::fixed;
    const std::size_t send_bytes = windows ? 128 : 120, peer_bytes = windows ? 488 : 208;
    constexpr std::size_t receive_bytes = 88, fixed_bytes = 5u << 19;
    return options.sends_max * send_bytes + options.receives_max * receive_bytes + options.peers_max * peer_bytes +
           options.payload_bytes + options.payload_bytes / 16 + options.event_bytes + fixed_bytes;
}

/// The queues of a ThreadedMessenger, in which an entry has a small block, and one of large_share a large one.
inline std::size_t queues_budget(const OpenOptions& options) {
    constexpr std::size_t small_bytes = 2'048, large_bytes = 65'536, entry_bytes = 512;
    const auto bytes_of = [](std::uint32_t wanted) {
        const std::size_t entries = std::bit_ceil(std::max(wanted, 2u));
        return entries * (small_bytes + entry_bytes) + std::max<std::size_t>(entries / large_share, 2) * large_bytes;
    };
    return bytes_of(options.sends_max) + bytes_of(options.receives_max);
}

}  // namespace gtudp

namespace confirmed {

/// An endpoint with all that it can hold: each send has its datagram or, later, an answer; a string has up to twice the
/// memory of its text.
inline std::size_t endpoint_budget(const ProtocolOptions& options) {
    constexpr std::size_t send_bytes = 512, peer_bytes = 256, reply_bytes = 96, fixed_bytes = 1u << 16;
    const std::size_t text_bytes = std::max(2 * options.bytes_max, limits::datagram_bytes_max);
    return options.sends_max * (send_bytes + text_bytes) + options.peers_max * peer_bytes +
           options.replies_max * reply_bytes + options.event_bytes + options.event_bytes / 4 + fixed_bytes;
}

}  // namespace confirmed

namespace devices {

/// One connection: a queue in each direction, which grows to less than four times its content (ByteQueue), and a write
/// in progress.
inline std::size_t connection_budget(const ProtocolOptions& options) {
    constexpr std::size_t fixed_bytes = 1u << 12;
    return 4 * options.queue_bytes + 4 * (limits::devices_unread_bytes_pause + stream_receive_bytes) +
           limits::stream_write_bytes_max + fixed_bytes;
}

/// A Node without connections: its directory, asks with their answers, and the queues of notices and questions.
inline std::size_t node_budget(const NodeOptions& options) {
    constexpr std::size_t name_bytes = limits::devices_name_bytes_max + 16, directory_bytes = 512, entry_bytes = 256,
                          fixed_bytes = 4u << 20;
    const std::size_t entries = std::size_t{options.notices_max} + options.questions_max;
    return options.protocol.names_max * (directory_bytes + name_bytes) +
           (limits::devices_asked_max + limits::devices_notices_max) * (entry_bytes + name_bytes) +
           entries * (entry_bytes + name_bytes) + limits::devices_answer_bytes_max + limits::devices_notices_bytes +
           limits::devices_questions_bytes + stream_receive_buffers * stream_receive_bytes + fixed_bytes;
}

}  // namespace devices

}  // namespace ringpost
