#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include <ringpost/datagram.hpp>
#include <ringpost/stream.hpp>
#include "engine/loop/backend.hpp"
#include "engine/loop/waiting.hpp"
#include "engine/os/clock.hpp"

namespace ringpost {

/// An endpoint with the calls of codec/include/ringpost/stream.hpp.
template <class Endpoint>
concept HasStreams =
    requires(Endpoint& endpoint, Instant at, std::span<std::byte> out) { endpoint.poll_stream(at, out); };

/// What a turn takes at most of poll_stream, so that the rest gets its turn too.
inline constexpr std::size_t stream_requests_per_turn = 256;
inline constexpr std::size_t stream_bytes_per_turn = 1u << 20;

/// The engine: one backend, one endpoint at a time, one thread.
///
/// One turn: read the clock, hand every received train to the endpoint and its events to the application while both are
/// still in the processor's cache, then the endpoint's timers and their events, then its transmits to the backend, and
/// one wait() that sends, receives and sleeps until the next deadline. An endpoint that HasStreams is told what has
/// happened to them after the trains, and asked for requests before its transmits.
///
/// An Application has two calls:
///     void    on_event(Instant now, const Endpoint::Event&);   // may not remove a socket: trains may still wait
///     Instant on_turn(Instant now);     // once a turn; says when it wants the next one at the latest, or `never`
/// and may have a third:
///     bool    on_sleep();               // the turn is about to sleep; false: something has come, it must not
template <class Backend>
class Loop {
  public:
    Loop(std::unique_ptr<Backend> backend, WaitMode mode) : backend_(std::move(backend)), mode_(mode) {}

    Backend& backend() { return *backend_; }

    /// Turns until stop(), then returns once what had come is handed over and the kernel has taken what was posted (or
    /// has not for a second). Can be run again, with the same endpoint or another.
    template <class Endpoint, class Application>
    void run(Endpoint& endpoint, Application& application) {
        stopped_ = false;
        while (!stopped_) turn(endpoint, application);
        deliver(now(), endpoint, application);
        const Instant give_up_at = now() + second;
        while (backend_->sending() && now() < give_up_at) {
            backend_->wait(millisecond);
            deliver(now(), endpoint, application);
        }
    }

    /// Ends run() after this turn. To be called from the application; from elsewhere, wake the backend's waker and
    /// have on_turn() look.
    void stop() { stopped_ = true; }

    template <class Endpoint, class Application>
    void turn(Endpoint& endpoint, Application& application) {
        const Instant at = now();
        bool worked = deliver(at, endpoint, application);
        if (const auto due = endpoint.poll_timeout(); due && *due <= at) endpoint.handle_timeout(at);
        tell(at, endpoint, application);
        const Instant wanted = application.on_turn(at);
        bool again = false;
        if constexpr (HasStreams<Endpoint>) {
            const Drained streams = drain_streams(at, endpoint, application, again);
            worked |= streams != Drained::nothing;
            again |= streams == Drained::partly;
        }
        const Drained drained = drain(at, endpoint);
        worked |= drained != Drained::nothing;
        if (worked) last_work_ = at;
        // With no way out, what is due must wait for room anyway; the kernel says when there is some.
        const Instant due = backend_->blocked() ? never : endpoint.poll_timeout().value_or(never);
        const Instant deadline = std::min(wanted, due);
        const bool more = stopped_ || again || (drained == Drained::partly && !backend_->blocked());
        Duration sleep = more ? 0 : sleep_for(mode_, at, last_work_, deadline);
        if constexpr (requires { application.on_sleep(); })
            if (sleep > 0 && !application.on_sleep()) sleep = 0;
        backend_->wait(sleep);
    }

  private:
    enum class Drained { nothing, all, partly };

    template <class Endpoint, class Application>
    bool deliver(Instant at, Endpoint& endpoint, Application& application) {
        const std::span<const Received> received = backend_->receive();
        for (const Received& train : received) {
            hand_over(at, endpoint, train);
            tell(at, endpoint, application);
        }
        if constexpr (HasStreams<Endpoint>) return deliver_streams(at, endpoint, application) || !received.empty();
        return !received.empty();
    }

    template <class Endpoint, class Application>
    bool deliver_streams(Instant at, Endpoint& endpoint, Application& application) {
        const std::span<const StreamEvent> stream_events = backend_->stream_events();
        for (const StreamEvent& event : stream_events) {
            if (event.accepted)
                backend_->answer(event, endpoint.accept(at, event.peer));
            else
                endpoint.handle(at, event.input);
            tell(at, endpoint, application);
        }
        return !stream_events.empty();
    }

    template <class Endpoint>
    static void hand_over(Instant at, Endpoint& endpoint, const Received& train) {
        Datagram datagram{train.source, train.socket, train.bytes, train.stamped_at};
        if (train.bytes.size() <= train.segment_bytes) {
            endpoint.handle(at, datagram);
            return;
        }
        for (std::size_t offset = 0; offset < train.bytes.size(); offset += train.segment_bytes) {
            datagram.bytes = train.bytes.subspan(offset, std::min(train.segment_bytes, train.bytes.size() - offset));
            endpoint.handle(at, datagram);
        }
    }

    /// True when there was something to tell.
    template <class Endpoint, class Application>
    static bool tell(Instant at, Endpoint& endpoint, Application& application) {
        bool told = false;
        for (; const auto event = endpoint.poll_event(); told = true) application.on_event(at, *event);
        return told;
    }

    template <class Endpoint>
    Drained drain(Instant at, Endpoint& endpoint) {
        Drained drained = Drained::nothing;
        while (true) {
            const std::span<std::byte> buffer = backend_->transmit_buffer();
            if (buffer.empty()) return Drained::partly;
            const auto transmit = endpoint.poll_transmit(at, buffer);
            if (!transmit) return drained;
            backend_->post(*transmit);
            drained = Drained::all;
        }
    }

    /// `told`: the application has heard something since its on_turn(), and may want another turn for it.
    template <class Endpoint, class Application>
    Drained drain_streams(Instant at, Endpoint& endpoint, Application& application, bool& told) {
        std::size_t requests = 0;
        for (std::size_t bytes = 0; requests < stream_requests_per_turn && bytes < stream_bytes_per_turn; ++requests) {
            const auto request = endpoint.poll_stream(at, backend_->stream_buffer());
            if (!request) return requests > 0 ? Drained::all : Drained::nothing;
            bytes += request->bytes;
            if (const auto input = backend_->post(*request)) {
                endpoint.handle(at, *input);
                told |= tell(at, endpoint, application);
            }
        }
        return Drained::partly;
    }

    std::unique_ptr<Backend> backend_;
    WaitMode mode_;
    bool stopped_ = false;
    Instant last_work_ = 0;
};

}  // namespace ringpost
