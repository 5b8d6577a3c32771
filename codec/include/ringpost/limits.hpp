#pragma once

// The capacities that programs see. Reaching one yields an error or a drop that is counted.

#include <cstddef>
#include <cstdint>

namespace ringpost::limits {

/// Largest UDP payload over IPv4: 65,535 - 20 (RFC 791) - 8 (RFC 768). Also the largest total size of a GSO train.
inline constexpr std::size_t datagram_bytes_max = 65'507;

/// Largest values of options: entries of a table, bytes of a queue, and entries of a queue between threads.
inline constexpr std::uint32_t option_entries_max = 1u << 24;
inline constexpr std::uint64_t option_bytes_max = std::uint64_t{1} << 34;
inline constexpr std::uint32_t option_queue_max = 1u << 20;

/// Segments in one Transmit. Linux accepts up to 64 (UDP_MAX_SEGMENTS) before 6.11 and up to 128 since; the engine
/// splits trains that are longer than the running kernel accepts.
inline constexpr std::size_t train_segments_max = 128;

/// Destinations of one beacon.
inline constexpr std::size_t beacon_targets_max = 256;

/// Most bytes in one write to a stream.
inline constexpr std::size_t stream_write_bytes_max = 256u << 10;

/// Open streams of one endpoint.
inline constexpr std::uint32_t streams_max = 8'192;

/// Default limit on the datagram size of a confirmed message. The format's original program reads no more.
inline constexpr std::size_t confirmed_bytes_max = 1'024;

/// Confirmed messages that are queued or await confirmation, in total and per peer, and the peers involved.
inline constexpr std::uint32_t confirmed_sends_max = 4'096;
inline constexpr std::uint32_t confirmed_sends_per_peer_max = 1'024;
inline constexpr std::uint32_t confirmed_peers_max = 1'024;

/// Queued confirmations.
inline constexpr std::uint32_t confirmed_replies_max = 1'024;

/// Bytes of received confirmed messages queued for the application.
inline constexpr std::size_t confirmed_event_bytes = 4u << 20;

/// An advert of a named device consists of `alive:,:` (8 bytes) and the name.
inline constexpr std::size_t devices_advert_bytes_max = 256;
inline constexpr std::size_t devices_name_bytes_max = devices_advert_bytes_max - 8;

/// Largest frame between devices, terminator included: in this implementation and in the format's original program.
inline constexpr std::size_t devices_frame_bytes_max = 64u << 10;
inline constexpr std::size_t devices_compatible_frame_bytes_max = 512;

/// Names in a directory.
inline constexpr std::uint32_t devices_names_max = 4'096;

/// Interfaces on which a device announces itself, and additional unicast addresses.
inline constexpr std::uint32_t devices_interfaces_max = 64;
inline constexpr std::size_t devices_seeds_max = 64;

/// Bytes queued for sending on one connection.
inline constexpr std::size_t devices_queue_bytes = 1u << 20;

/// Queries whose end has not been reported to the application, the questions in them, and the bytes of their answers.
inline constexpr std::uint32_t devices_asks_max = 4'096;
inline constexpr std::size_t devices_asked_max = 65'536;
inline constexpr std::size_t devices_answer_bytes_max = 64u << 20;

/// Largest payload of a struct message: its size field covers the payload and 7 bytes of the header, up to 65,535.
inline constexpr std::size_t struct_payload_bytes_max = 65'528;

/// Runs of equal type codes in one struct format.
inline constexpr std::size_t struct_runs_max = 256;

/// Members of an aggregate that is packed into or unpacked from a struct message.
inline constexpr std::size_t struct_members_max = 16;

/// Messages in one struct library.
inline constexpr std::size_t struct_messages_max = 4'096;

}  // namespace ringpost::limits
