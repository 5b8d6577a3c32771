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
//     std::string                granted() const;          what the kernel has granted, for reports
//     bool                       sending() const;          posted messages have not all gone yet
//     void                       wait(Duration sleep);     sends what is queued, receives; sleeps at most so long
//     const Waker&               waker() const;            ends a sleep early, from any thread
//     Counters                   counters();
//
// For endpoints that have streams (codec/include/ringpost/stream.hpp), which cost nothing until the first of these
// calls:
//
//     Result<void>               listen(StreamListener);   connections are accepted for as long as the backend lives
//     std::span<const StreamHappening> happenings();       after receive(): what wait() has brought, once, in order
//     void                       answer(const StreamHappening&, std::optional<StreamIndex>);
//                                                          for each that is `accepted`; without a name it is closed
//     std::span<std::byte>       stream_buffer();          where poll_stream may write, limits::stream_write_bytes_max
//     std::optional<StreamInput> post(const StreamRequest&);   begins it; what has come of it at once, to be told now
//
// sending() is also true while writes are under way.
//
// For the application's own descriptors:
//
//     Result<Watched>            watch(int fd);     wait() sleeps no longer than until it can be read (or has ended);
//     void                       unwatch(int fd);   an owner that leaves something unread is woken again at once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>

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
    Instant stamped_at = never;     ///< of now(): when the kernel took it in; `never` unless its socket stamps
};

/// What has happened to a stream: somebody has connected and waits for answer(), or an input for the endpoint. The
/// bytes are valid until the next wait().
struct StreamHappening {
    bool accepted = false;
    std::uint32_t connection = 0;  ///< `accepted`: for answer()
    Address peer{};                ///< `accepted`
    StreamInput input{};           ///< otherwise
};

/// For wait(): poll once, or sleep until something happens.
inline constexpr Duration no_sleep = 0;

/// Deliveries one receive() returns at most, so that timers and sends get their turn under any load.
inline constexpr std::size_t received_max = 64;

/// A receive buffer holds the largest train: one below 64 KiB would cut trains short in silence.
inline constexpr std::size_t receive_buffer_bytes = 65'536;

/// A polling turn tries each socket while there are no more than these, and asks the kernel which are ready beyond.
inline constexpr std::size_t tried_sockets_max = 4;

}  // namespace ringpost
