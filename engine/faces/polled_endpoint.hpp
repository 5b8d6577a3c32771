#pragma once

// The implementation of the polled Messengers: an endpoint of any protocol on one socket and a backend, which works
// only when its owner polls.
//
// PolledEndpoint is independent of the backend; On<Loop> implements its virtual calls for one backend, one turn of the
// loop per call. It is the LoopApplication (engine/loop/loop.hpp); its next turn is due at the caller's deadline.

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/check.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// Not thread-safe: use it only on the thread that opened it.
template <class Endpoint>
class PolledEndpoint {
  public:
    using Event = typename Endpoint::Event;
    using Handler = std::function<void(const Event&)>;

    /// make(SocketIndex) returns the endpoint. The error names what failed: `bind 127.0.0.1:5005: Address already in
    /// use`.
    template <class Make>
        requires std::invocable<const Make&, SocketIndex>
    static Result<std::unique_ptr<PolledEndpoint>> open(const SocketOptions& socket, const EngineOptions& engine,
                                                        const Make& make);
    /// The same for an endpoint made from `protocol`, whose `socket` and `start` are set here.
    template <class Options>
        requires std::constructible_from<Endpoint, const Options&>
    static Result<std::unique_ptr<PolledEndpoint>> open(const SocketOptions& socket, const EngineOptions& engine,
                                                        Options protocol) {
        protocol.start = now();
        return open(socket, engine, [&](SocketIndex index) {
            protocol.socket = index;
            return Endpoint(protocol);
        });
    }
    virtual ~PolledEndpoint() = default;
    PolledEndpoint(const PolledEndpoint&) = delete;
    PolledEndpoint& operator=(const PolledEndpoint&) = delete;

    /// Runs turns until at least one event was passed to `handler` or `timeout` has elapsed. 0 never sleeps; `never`
    /// has no limit. Returns whether there was an event.
    bool poll(Duration timeout, const Handler& handler) {
        handler_ = &handler;
        return run(timeout);
    }
    /// The same until `done` returns true. Leaves events in the endpoint; `done` may take those it waits for.
    bool wait_for(Duration timeout, const std::function<bool()>& done) {
        done_ = &done;
        return run(timeout);
    }

    /// Ends a poll() early, or else the next one; wait_for() goes on. Any thread, and from a signal handler.
    void wake() const {
        woken_ = true;
        waker().wake();
    }

    virtual EngineCounters counters() = 0;

    // Called by the loop.
    void on_event(Instant, const Event& event) {
        happened_ = true;
        (*handler_)(event);
    }
    bool has_room() const { return done_ == nullptr; }
    /// Once there was an event, the turn does not sleep; it only sends the responses.
    Instant on_turn(Instant at) {
        if (done_ != nullptr) happened_ = happened_ || (*done_)();
        // The reap of this turn may have consumed the wake-up, so the turn must not sleep.
        return happened_ || (polling() && woken_) ? at : deadline_;
    }

    Endpoint endpoint;
    Address local;
    const char* backend;  ///< `uring` or `mmsg`
    std::string note;     ///< why BackendChoice::automatic did not select io_uring; "" if it did

  protected:
    template <class Make>
    PolledEndpoint(const Make& make, SocketIndex socket, const Address& address, const char* name)
        : endpoint(make(socket)), local(address), backend(name) {}

    virtual void turn() = 0;
    virtual const Waker& waker() const = 0;

  private:
    template <class AnyLoop>
    struct On;

    bool polling() const { return handler_ != nullptr; }

    bool run(Duration timeout) {
        RINGPOST_CHECK(!running_);  // called from within a handler
        running_ = true;
        deadline_ = deadline_after(timeout);
        happened_ = false;
        turn();
        // A turn ends with a wait; what arrives then is handled by the next turn, so one more follows the deadline.
        for (bool late = false; !happened_ && !late && !(polling() && woken_.exchange(false));) {
            late = now() >= deadline_;
            turn();
        }
        handler_ = nullptr;
        done_ = nullptr;
        running_ = false;
        return happened_;
    }

    const Handler* handler_ = nullptr;             // set during poll()
    const std::function<bool()>* done_ = nullptr;  // set during wait_for()
    Instant deadline_ = never;
    mutable std::atomic<bool> woken_{false};
    bool happened_ = false, running_ = false;
};

template <class Endpoint>
template <class AnyLoop>
struct PolledEndpoint<Endpoint>::On : PolledEndpoint {
    template <class Make>
    On(AnyLoop&& opened, const Make& make, SocketIndex socket)
        : PolledEndpoint(make, socket, opened.backend().socket(socket).local(), opened.backend().name),
          loop(std::move(opened)) {}

    void turn() override { loop.turn(this->endpoint, static_cast<PolledEndpoint&>(*this)); }
    const Waker& waker() const override { return loop.backend().waker(); }
    EngineCounters counters() override { return loop.backend().counters(); }

    AnyLoop loop;
};

template <class Endpoint>
template <class Make>
    requires std::invocable<const Make&, SocketIndex>
Result<std::unique_ptr<PolledEndpoint<Endpoint>>> PolledEndpoint<Endpoint>::open(const SocketOptions& socket,
                                                                                 const EngineOptions& engine,
                                                                                 const Make& make) {
    auto opened = UdpSocket::open(socket);
    if (!opened) return std::unexpected(opened.error());
    std::string note;
    const auto drive = [&](auto& loop) -> std::unique_ptr<PolledEndpoint> {
        using AnyLoop = std::remove_reference_t<decltype(loop)>;
        const SocketIndex index = loop.backend().add(std::move(*opened));
        return std::make_unique<On<AnyLoop>>(std::move(loop), make, index);
    };
    auto polled = with_loop(engine, [&](const std::string& text) { note = text; }, drive);
    if (polled) (*polled)->note = std::move(note);
    return polled;
}

}  // namespace ringpost
