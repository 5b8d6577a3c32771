#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/options.hpp>
#include <span>
#include <string>
#include <utility>

#include "engine/os/waker.hpp"
#include "engine/os/watches.hpp"
#include "engine/tcp/stream_event.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/udp/received.hpp"
#include "engine/udp/send_failures.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// The interface between Loop and the kernel, implemented by UringBackend and MmsgBackend. Not thread-safe, except for
/// the waker.
template <class B>
concept EngineBackend = requires(B& backend, const B& constant, const EngineOptions& options, UdpSocket socket,
                                 SocketIndex index, const Transmit& transmit, Duration sleep, int fd) {
    { B::open(options) } -> std::same_as<Result<std::unique_ptr<B>>>;

    // add() takes ownership of the socket. remove() closes it; completions of its requests in flight are dropped.
    { backend.add(std::move(socket)) } -> std::same_as<SocketIndex>;
    { backend.remove(index) } -> std::same_as<void>;
    { backend.socket(index) } -> std::same_as<UdpSocket&>;

    // enter() submits queued sends and sleeps up to `sleep` until something happens (0: polls). reap() then returns a
    // bounded batch of received trains, valid until the next enter().
    { backend.enter(sleep) } -> std::same_as<void>;
    { backend.reap() } -> std::same_as<std::span<const Received>>;

    // transmit_buffer() returns the buffer for the next poll_transmit, or an empty span if none is free. post() queues
    // what was written there.
    { backend.transmit_buffer() } -> std::same_as<std::span<std::byte>>;
    { backend.post(transmit) } -> std::same_as<void>;
    { constant.blocked() } -> std::same_as<bool>;       // a socket buffer is full: no transmit_buffer() until it drains
    { constant.sending() } -> std::same_as<bool>;       // posted messages or stream writes are not complete
    { constant.sends_trains() } -> std::same_as<bool>;  // with GSO

    // For a loop of others: from now on everything that the next enter() has to do makes the returned descriptor
    // readable, and enter() prepares for that also when it polls. The descriptor belongs to the backend.
    { backend.stay_armed() } -> std::same_as<int>;

    { constant.waker() } -> std::same_as<const Waker&>;  // ends a sleep early, from any thread
    { backend.counters() } -> std::same_as<EngineCounters>;
    { backend.send_failures() } -> std::same_as<SendFailures&>;  // of the sends that the kernel refused
    { constant.granted() } -> std::same_as<std::string>;         // kernel features in use, for reports

    // Application descriptors: enter() wakes when a watched one is readable or closed by its peer. Level-triggered: a
    // descriptor with unread data wakes the next enter() again.
    { backend.watch(fd) } -> std::same_as<Result<Watched>>;
    { backend.unwatch(fd) } -> std::same_as<void>;
};

/// A backend's TCP streams, for stream endpoints (ringpost/stream.hpp). No cost until the first call.
template <class B>
concept StreamBackend =
    EngineBackend<B> && requires(B& backend, const B& constant, StreamListener listener, const StreamEvent& event,
                                 std::optional<StreamIndex> stream, const StreamRequest& request) {
        // Accepts connections for the lifetime of the backend.
        { backend.listen(std::move(listener)) } -> std::same_as<Result<void>>;
        // Stream events of the last enter() and reap(), in order. Each `accepted` event must be answered with the
        // endpoint's index for the stream; nullopt closes the connection.
        { constant.stream_events() } -> std::same_as<std::span<const StreamEvent>>;
        { backend.answer(event, stream) } -> std::same_as<void>;
        // stream_buffer() is the buffer for the next poll_stream, limits::stream_write_bytes_max long. post() starts a
        // request; if it completes immediately, the result is returned for the endpoint to handle.
        { backend.stream_buffer() } -> std::same_as<std::span<std::byte>>;
        { backend.post(request) } -> std::same_as<std::optional<StreamInput>>;
    };

}  // namespace ringpost
