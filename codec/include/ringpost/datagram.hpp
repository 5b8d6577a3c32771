#pragma once

// What goes in and comes out of every endpoint. An endpoint's whole face is five calls, no callbacks:
//
//     void                    handle(Instant now, const Datagram& in);
//     void                    handle_timeout(Instant now);
//     std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
//     std::optional<Event>    poll_event();
//     std::optional<Instant>  poll_timeout() const;
//
// A driver (the engine's loop, or the simulator) hands in every datagram and drains poll_event at least after the last,
// then calls handle_timeout once poll_timeout() is due, drains poll_event, drains poll_transmit, and sleeps no longer
// than poll_timeout() says. The buffers it lends
// to poll_transmit are few and come again; it never writes to them itself, so an endpoint finds there what it left.

#include <cstddef>
#include <cstdint>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// Which of its driver's sockets a datagram came by or goes by, counted from 0.
using SocketIndex = std::uint32_t;

/// One received datagram. `bytes` is the driver's memory, valid during the call that hands it in.
struct Datagram {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    Instant stamped_at = never;  ///< when the system took it in, if the driver knows; `never`: it does not
};

/// What poll_transmit wrote at the front of `out`: one datagram, or a train of equal segments of which only the last
/// may be shorter. `out` holds limits::datagram_bytes_max; a train has at most limits::train_segments_max segments.
struct Transmit {
    Address destination;  ///< Family::none: the peer the socket is connected to
    SocketIndex socket = 0;
    std::size_t bytes = 0;          ///< of the whole train; 0 is one empty datagram
    std::size_t segment_bytes = 0;  ///< of each segment; equal to `bytes` for a single datagram
};

/// Datagrams in a train of `bytes` cut every `segment_bytes`.
constexpr std::size_t segment_count(std::size_t bytes, std::size_t segment_bytes) {
    return segment_bytes == 0 || bytes <= segment_bytes ? 1 : (bytes + segment_bytes - 1) / segment_bytes;
}

}  // namespace ringpost
