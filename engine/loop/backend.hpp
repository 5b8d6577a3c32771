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
#include "engine/udp/socket.hpp"

namespace ringpost {

/// How sockets are driven: the calls that Loop makes. UringBackend and MmsgBackend are the two. A backend belongs to
/// one thread; only its waker may be used from others.
template <class B>
concept EngineBackend = requires(B& backend, const B& constant, const EngineOptions& options, UdpSocket socket,
                                 SocketIndex index, const Transmit& transmit, Duration sleep, int fd) {
    { B::open(options) } -> std::same_as<Result<std::unique_ptr<B>>>;

    // The socket is the backend's from add() on. remove() closes it; requests in flight end without effect.
    { backend.add(std::move(socket)) } -> std::same_as<SocketIndex>;
    { backend.remove(index) } -> std::same_as<void>;
    { backend.socket(index) } -> std::same_as<UdpSocket&>;

    // enter() submits what is queued and sleeps at most `sleep` until something happens (0: polls). reap() then returns
    // what has arrived, a bounded batch, valid until the next enter().
    { backend.enter(sleep) } -> std::same_as<void>;
    { backend.reap() } -> std::same_as<std::span<const Received>>;

    // transmit_buffer() is where poll_transmit may write, empty when there is none now; post() queues what was written.
    { backend.transmit_buffer() } -> std::same_as<std::span<std::byte>>;
    { backend.post(transmit) } -> std::same_as<void>;
    { constant.blocked() } -> std::same_as<bool>;       // no buffer until the kernel takes what is queued
    { constant.sending() } -> std::same_as<bool>;       // posted messages or stream writes have not all gone yet
    { constant.sends_trains() } -> std::same_as<bool>;  // with GSO

    { constant.waker() } -> std::same_as<const Waker&>;  // ends a sleep early, from any thread
    { backend.counters() } -> std::same_as<EngineCounters>;
    { constant.granted() } -> std::same_as<std::string>;  // what the kernel granted, for reports

    // The application's own descriptors: enter() sleeps no longer than until a watched one is readable or has ended. An
    // owner that leaves something unread is woken again at once.
    { backend.watch(fd) } -> std::same_as<Result<Watched>>;
    { backend.unwatch(fd) } -> std::same_as<void>;
};

/// A backend's TCP streams, for endpoints that have some (ringpost/stream.hpp). They cost nothing until the first call.
template <class B>
concept StreamBackend =
    EngineBackend<B> && requires(B& backend, const B& constant, StreamListener listener, const StreamEvent& event,
                                 std::optional<StreamIndex> stream, const StreamRequest& request) {
        // Connections are accepted for as long as the backend lives.
        { backend.listen(std::move(listener)) } -> std::same_as<Result<void>>;
        // After reap(): what has happened to streams since, in order. Every `accepted` one is to be answered; without
        // a name the connection is closed.
        { constant.stream_events() } -> std::same_as<std::span<const StreamEvent>>;
        { backend.answer(event, stream) } -> std::same_as<void>;
        // stream_buffer() is where poll_stream may write limits::stream_write_bytes_max. post() begins a request; what
        // comes of it at once is returned, for the endpoint to handle now.
        { backend.stream_buffer() } -> std::same_as<std::span<std::byte>>;
        { backend.post(request) } -> std::same_as<std::optional<StreamInput>>;
    };

}  // namespace ringpost
