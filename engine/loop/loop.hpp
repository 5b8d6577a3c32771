#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <ringpost/endpoint.hpp>
#include <utility>

#include "engine/loop/backend.hpp"
#include "engine/loop/waiting.hpp"
#include "engine/os/clock.hpp"

namespace ringpost {

/// What a loop's endpoint works for. Beside these two calls an application may have:
///
///     bool admits(const Datagram&);    // false: the datagram is dropped before the endpoint sees it
///     bool has_room() const;           // false: events stay with the endpoint for now
///     bool on_sleep();                 // the turn is about to sleep; false: something has come up, it must not
///
/// With admits(), events are dispatched after every datagram instead of after every train.
template <class A, class Endpoint>
concept LoopApplication = requires(A& application, Instant now, const typename Endpoint::Event& event) {
    // May not remove a socket: more of the batch may belong to it.
    { application.on_event(now, event) } -> std::same_as<void>;
    // Once a turn. Returns when the next turn is wanted at the latest, or `never`.
    { application.on_turn(now) } -> std::same_as<Instant>;
};

/// What a turn takes at most of poll_stream, so that the rest gets its turn too.
inline constexpr std::size_t stream_requests_per_turn = 256;
inline constexpr std::size_t stream_bytes_per_turn = 1u << 20;

/// The engine: one backend, one endpoint at a time (several through a Router), one thread.
///
/// One turn: reap what has arrived and read the clock; hand each train to the endpoint and dispatch its events while
/// both are in the processor's cache; timers and their events; on_turn(); the endpoint's transmits; and one enter()
/// that submits, and sleeps until the next deadline. A StreamEndpoint's stream events follow the trains, and its
/// requests precede its transmits.
template <EngineBackend Backend>
class Loop {
  public:
    Loop(std::unique_ptr<Backend> backend, WaitMode mode) : backend_(std::move(backend)), mode_(mode) {}

    Backend& backend() { return *backend_; }
    const Backend& backend() const { return *backend_; }

    /// Turns until stop(), then returns once everything received is handled and the kernel has taken what was posted,
    /// or has not for a second. Can be run again, with the same endpoint or another.
    template <DatagramEndpoint Endpoint, LoopApplication<Endpoint> Application>
    void run(Endpoint& endpoint, Application& application) {
        stopped_ = false;
        while (!stopped_) turn(endpoint, application);
        deliver(endpoint, application);
        const Instant give_up_at = now() + second;
        while (backend_->sending() && now() < give_up_at) {
            backend_->enter(millisecond);
            deliver(endpoint, application);
        }
    }

    /// Ends run() after this turn. To be called from the application; from elsewhere, wake the backend's waker and have
    /// on_turn() look.
    void stop() { stopped_ = true; }

    template <DatagramEndpoint Endpoint, LoopApplication<Endpoint> Application>
    void turn(Endpoint& endpoint, Application& application) {
        const auto [at, delivered] = deliver(endpoint, application);
        bool worked = delivered;
        if (const auto due = endpoint.poll_timeout(); due && *due <= at) endpoint.handle_timeout(at);
        dispatch(at, endpoint, application);
        const Instant wanted = application.on_turn(at);
        bool again = false;
        if constexpr (StreamEndpoint<Endpoint>) {
            const Drained streams = drain_streams(at, endpoint, application, again);
            worked |= streams != Drained::nothing;
            again |= streams == Drained::partly;
        }
        const Drained drained = drain(at, endpoint);
        worked |= drained != Drained::nothing;
        if (worked) last_work_ = at;
        // With no way out, what is due waits for room anyway, and the kernel reports room.
        const Instant due = backend_->blocked() ? never : endpoint.poll_timeout().value_or(never);
        const Instant deadline = std::min(wanted, due);
        const bool more = stopped_ || again || (drained == Drained::partly && !backend_->blocked());
        Duration sleep = more ? 0 : sleep_for(mode_, at, last_work_, deadline);
        if constexpr (requires { application.on_sleep(); })
            if (sleep > 0 && !application.on_sleep()) sleep = 0;
        backend_->enter(sleep);
    }

    /// Hands the endpoint's events to the application while there is room for them; true when there was one.
    template <class Endpoint, class Application>
    static bool dispatch(Instant at, Endpoint& endpoint, Application& application) {
        for (bool any = false;; any = true) {
            if constexpr (requires { application.has_room(); })
                if (!application.has_room()) return any;
            const auto event = endpoint.poll_event();
            if (!event) return any;
            application.on_event(at, *event);
        }
    }

  private:
    enum class Drained { nothing, all, partly };
    struct Delivered {
        Instant at;
        bool any;
    };

    template <class Endpoint, class Application>
    Delivered deliver(Endpoint& endpoint, Application& application) {
        const std::span<const Received> received = backend_->reap();
        const Instant at = now();
        for (const Received& train : received) {
            handle(at, endpoint, application, train);
            dispatch(at, endpoint, application);
        }
        bool any = !received.empty();
        if constexpr (StreamEndpoint<Endpoint>) any |= deliver_streams(at, endpoint, application);
        return {at, any};
    }

    template <class Endpoint, class Application>
    bool deliver_streams(Instant at, Endpoint& endpoint, Application& application) {
        const std::span<const StreamEvent> events = backend_->stream_events();
        for (const StreamEvent& event : events) {
            if (event.accepted)
                backend_->answer(event, endpoint.accept(at, event.peer));
            else
                endpoint.handle(at, event.input);
            dispatch(at, endpoint, application);
        }
        return !events.empty();
    }

    template <class Endpoint, class Application>
    static void handle(Instant at, Endpoint& endpoint, Application& application, const Received& train) {
        Datagram datagram{train.source, train.socket, train.bytes, train.stamped_at, train.local, train.ecn};
        std::size_t offset = 0;
        do {
            datagram.bytes = train.bytes.subspan(offset, std::min(train.segment_bytes, train.bytes.size() - offset));
            if constexpr (requires { application.admits(datagram); }) {
                if (application.admits(datagram)) endpoint.handle(at, datagram);
                dispatch(at, endpoint, application);
            } else {
                endpoint.handle(at, datagram);
            }
            offset += train.segment_bytes;
        } while (offset < train.bytes.size());
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

    /// `dispatched`: there was an event after on_turn(), and the application may want another turn for it.
    template <class Endpoint, class Application>
    Drained drain_streams(Instant at, Endpoint& endpoint, Application& application, bool& dispatched) {
        std::size_t requests = 0;
        for (std::size_t bytes = 0; requests < stream_requests_per_turn && bytes < stream_bytes_per_turn; ++requests) {
            const auto request = endpoint.poll_stream(at, backend_->stream_buffer());
            if (!request) return requests > 0 ? Drained::all : Drained::nothing;
            bytes += request->bytes;
            if (const auto input = backend_->post(*request)) {
                endpoint.handle(at, *input);
                dispatched |= dispatch(at, endpoint, application);
            }
        }
        return Drained::partly;
    }

    std::unique_ptr<Backend> backend_;
    WaitMode mode_;
    Instant last_work_ = 0;
    bool stopped_ = false;
};

}  // namespace ringpost
