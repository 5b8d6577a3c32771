#pragma once

// An endpoint is a protocol's state machine without I/O: it opens no socket, reads no clock and has no callbacks. A
// driver (the engine's loop, or the simulator)
//
//   1. passes every received datagram to handle(), and drains poll_event() at least after the last,
//   2. calls handle_timeout() once poll_timeout() is due, and drains poll_event(),
//   3. drains poll_transmit(), and sleeps until poll_timeout() at most.
//
// The buffers lent to poll_transmit() are few and reused; the driver never writes to them, so an endpoint finds there
// what it left.

#include <concepts>
#include <cstddef>
#include <optional>
#include <ringpost/datagram.hpp>
#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>
#include <span>

namespace ringpost {

/// The five calls of every endpoint.
template <class E>
concept DatagramEndpoint =
    requires(E& endpoint, const E& constant, Instant now, const Datagram& in, std::span<std::byte> out) {
        typename E::Event;
        { endpoint.handle(now, in) } -> std::same_as<void>;
        { endpoint.handle_timeout(now) } -> std::same_as<void>;
        { endpoint.poll_transmit(now, out) } -> std::same_as<std::optional<Transmit>>;
        { endpoint.poll_event() } -> std::same_as<std::optional<typename E::Event>>;
        { constant.poll_timeout() } -> std::same_as<std::optional<Instant>>;
    };

/// An endpoint that handles a train at once: handle_train() replaces handle() for each of its datagrams. `train.bytes`
/// are those of all, `segment_bytes` of each but the last, which may be shorter.
template <class E>
concept TrainEndpoint =
    DatagramEndpoint<E> && requires(E& endpoint, Instant now, const Datagram& train, std::size_t segment_bytes) {
        { endpoint.handle_train(now, train, segment_bytes) } -> std::same_as<void>;
    };

/// An endpoint that opens sealed datagrams where they are: it may change their bytes, and its events may point into
/// them. The driver calls retain() before their memory goes; the endpoint then copies what the events that were not
/// taken yet need.
template <class E>
concept RetainingEndpoint = TrainEndpoint<E> && requires(E& endpoint) {
    { endpoint.retain() } -> std::same_as<void>;
};

/// An endpoint with TCP connections: three more calls, described in stream.hpp.
template <class E>
concept StreamEndpoint = DatagramEndpoint<E> && requires(E& endpoint, Instant now, const Address& peer,
                                                         const StreamInput& in, std::span<std::byte> out) {
    { endpoint.accept(now, peer) } -> std::same_as<std::optional<StreamIndex>>;
    { endpoint.handle(now, in) } -> std::same_as<void>;
    { endpoint.poll_stream(now, out) } -> std::same_as<std::optional<StreamRequest>>;
};

}  // namespace ringpost
