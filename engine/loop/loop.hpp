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

/// The consumer of an endpoint's events. Optional members:
///
///     bool admits(const Datagram&);    // false: drop the datagram before the endpoint sees it
///     bool has_room() const;           // false: leave events in the endpoint for now
///     bool on_sleep();                 // called before the turn sleeps; false: do not sleep
///
/// With admits(), events are dispatched after every datagram instead of after every train.
template <class A, class Endpoint>
concept LoopApplication = requires(A& application, Instant now, const typename Endpoint::Event& event) {
    // Must not remove a socket: later datagrams of the batch may refer to it.
    { application.on_event(now, event) } -> std::same_as<void>;
    // Once per turn. Returns the latest time for the next turn, or `never`.
    { application.on_turn(now) } -> std::same_as<Instant>;
};

/// Limits on poll_stream per turn, so that streams do not starve datagrams and timers.
inline constexpr std::size_t stream_requests_per_turn = 256;
inline constexpr std::size_t stream_bytes_per_turn = 1u << 20;

/// The engine: one backend, one endpoint at a time (several through a Router), one thread.
///
/// One turn: reap a batch and read the clock; pass each train to the endpoint and dispatch its events while both are in
/// the cache; run timers and dispatch their events; on_turn(); drain the endpoint's transmits; one enter(), which
/// submits and sleeps until the next deadline. A StreamEndpoint's stream events are handled after the trains, and its
/// requests are drained before its transmits.
template <EngineBackend Backend>
class Loop {
  public:
    Loop(std::unique_ptr<Backend> backend, WaitMode mode) : backend_(std::move(backend)), mode_(mode) {}

    Backend& backend() { return *backend_; }
    const Backend& backend() const { return *backend_; }

    /// Runs turns until stop(), then flushes: handles what was received and waits up to a second for the kernel to take
    /// what was posted. May be called again, with the same endpoint or another.
    template <DatagramEndpoint Endpoint, LoopApplication<Endpoint> Application>
    void run(Endpoint& endpoint, Application& application) {
        stopped_ = false;
        while (!stopped_) turn(endpoint, application);
        deliver(endpoint, application);
        const Instant give_up_at = now() + second;
        while (backend_->sending() && now() < give_up_at) {
            enter(endpoint, millisecond);
            deliver(endpoint, application);
        }
    }

    /// Ends run() after this turn. Call it on the loop's thread; from other threads set a flag for on_turn() and wake
    /// the backend's waker.
    void stop() { stopped_ = true; }

    /// Returns whether another turn is due at once.
    template <DatagramEndpoint Endpoint, LoopApplication<Endpoint> Application>
    bool turn(Endpoint& endpoint, Application& application) {
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
        // While sends are blocked, due transmits cannot leave; the kernel wakes the loop when there is space.
        const Instant due = backend_->blocked() ? never : endpoint.poll_timeout().value_or(never);
        const Instant deadline = std::min(wanted, due);
        const bool more = stopped_ || again || (drained == Drained::partly && !backend_->blocked());
        Duration sleep = more ? 0 : sleep_for(mode_, at, last_work_, deadline);
        if constexpr (requires { application.on_sleep(); })
            if (sleep > 0 && !application.on_sleep()) sleep = 0;
        enter(endpoint, sleep);
        return more;
    }

    /// Passes events to the application while it has room. True if there was at least one.
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
        const Datagram whole{train.source, train.socket, train.bytes,    train.stamped_at,
                             train.local,  train.ecn,    train.hop_limit};
        if constexpr (requires { application.admits(whole); })
            for_each_segment(whole, train.segment_bytes, [&](const Datagram& datagram) {
                if (application.admits(datagram)) endpoint.handle(at, datagram);
                dispatch(at, endpoint, application);
            });
        else if constexpr (TrainEndpoint<Endpoint>)
            endpoint.handle_train(at, whole, train.segment_bytes);
        else
            for_each_segment(whole, train.segment_bytes,
                             [&](const Datagram& datagram) { endpoint.handle(at, datagram); });
    }

    /// The received trains are valid until here.
    template <class Endpoint>
    void enter(Endpoint& endpoint, Duration sleep) {
        if constexpr (RetainingEndpoint<Endpoint>) endpoint.retain();
        backend_->enter(sleep);
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

    /// Sets `dispatched` if an event was dispatched after on_turn(): the application may want another turn for it.
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
