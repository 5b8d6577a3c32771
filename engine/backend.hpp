#pragma once

// What a backend is: the calls Loop makes. Two classes are one, UringBackend and MmsgBackend.
//
//     static Result<std::unique_ptr<B>> open(const BackendOptions&);
//     SocketIndex                add(UdpSocket);           the socket is the backend's from now on
//     void                       remove(SocketIndex);      closes it; what is still in flight ends harmlessly
//     std::span<const Received>  receive();                what wait() has brought, once: a bounded batch
//     std::span<std::byte>       transmit_buffer();        where poll_transmit may write; empty: not now
//     void                       post(const Transmit&);    queues what was written there
//     bool                       blocked() const;          no buffer until the kernel takes what is queued
//     bool                       sends_trains() const;     GSO is there and on
//     bool                       sending() const;          posted messages have not all gone yet
//     void                       wait(Duration sleep);     sends what is queued, receives; sleeps at most so long
//     const Waker&               waker() const;            ends a sleep early, from any thread
//     Counters                   counters();

#include <cstddef>
#include <span>

#include "codec/base/datagram.hpp"
#include "codec/base/instant.hpp"

namespace ringpost {

struct BackendOptions {
    bool gso = true;  ///< send trains (UDP_SEGMENT), where the kernel can
};

/// One delivery by the kernel: a datagram, or a train of equal segments of which the last may be shorter. The bytes are
/// valid until the next wait().
struct Received {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    std::size_t segment_bytes = 0;  ///< equal to the length for a single datagram
};

/// For wait(): poll once, or sleep until something happens.
inline constexpr Duration no_sleep = 0;

/// Deliveries one receive() returns at most, so that timers and sends get their turn under any load.
inline constexpr std::size_t received_max = 64;

/// A receive buffer holds the largest train: one below 64 KiB would cut trains short in silence.
inline constexpr std::size_t receive_buffer_bytes = 65'536;

}  // namespace ringpost
