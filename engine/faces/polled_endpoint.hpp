#pragma once

// What the Messengers are made of: an endpoint of any protocol on a socket and a backend, which does its work when its
// owner polls.
//
// PolledEndpoint is the endpoint and what it is on; On<Loop> adds the virtual calls that depend on the backend, a turn
// of the loop each. Both ways of polling are an Application (engine/loop/loop.hpp) whose deadline is the caller's.

#include <atomic>
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

/// Belongs to the thread that opened it.
template <class Endpoint>
class PolledEndpoint {
  public:
    using Event = typename Endpoint::Event;
    using Handler = std::function<void(const Event&)>;

    /// `protocol` are the endpoint's options, whose socket and start are set here. The error names what failed:
    /// `bind 127.0.0.1:5005: Address already in use`.
    template <class Options>
    static Result<std::unique_ptr<PolledEndpoint>> open(const SocketOptions& socket, const EngineOptions& engine,
                                                        Options protocol);
    virtual ~PolledEndpoint() = default;
    PolledEndpoint(const PolledEndpoint&) = delete;
    PolledEndpoint& operator=(const PolledEndpoint&) = delete;

    /// Turns until `handler` has been given something, or `timeout` is over: 0 never sleeps, `never` waits as long as
    /// it takes. False when there was nothing.
    bool poll(Duration timeout, const Handler& handler) {
        handler_ = &handler;
        return run(timeout);
    }
    /// The same until `done` says true. Events stay with the endpoint, where `done` may take its own.
    bool wait_for(Duration timeout, const std::function<bool()>& done) {
        done_ = &done;
        return run(timeout);
    }

    /// Ends a poll() or wait_for() early, or else the next one. Any thread, and from a signal handler.
    void wake() const {
        woken_ = true;
        waker().wake();
    }

    virtual EngineCounters counters() = 0;

    // What the loop calls.
    void on_event(Instant, const Event& event) {
        happened_ = true;
        (*handler_)(event);
    }
    /// While wait_for() runs, events stay with the endpoint.
    bool has_room() const { return done_ == nullptr; }
    /// Once something has happened the turn only sends what that has brought about.
    Instant on_turn(Instant at) {
        if (done_ != nullptr) happened_ = happened_ || (*done_)();
        return happened_ ? at : deadline_;
    }

    Endpoint endpoint;
    Address local;
    const char* backend;  ///< `uring` or `mmsg`
    std::string note;     ///< why BackendChoice::automatic has not taken io_uring; "" when it has

  protected:
    template <class Options>
    PolledEndpoint(const Options& options, const Address& address, const char* name)
        : endpoint(options), local(address), backend(name) {}

    virtual void turn() = 0;
    virtual const Waker& waker() const = 0;

  private:
    template <class AnyLoop>
    struct On;

    bool run(Duration timeout) {
        RINGPOST_CHECK(!running_);  // not from within a handler
        running_ = true;
        deadline_ = deadline_after(timeout);
        happened_ = false;
        turn();
        // What the wait at a turn's end brings is handed over by the next, so one more follows the deadline.
        for (bool late = false; !happened_ && !late && !woken_.exchange(false);) {
            late = now() >= deadline_;
            turn();
        }
        handler_ = nullptr;
        done_ = nullptr;
        running_ = false;
        return happened_;
    }

    const Handler* handler_ = nullptr;             // while poll() runs
    const std::function<bool()>* done_ = nullptr;  // while wait_for() runs
    Instant deadline_ = never;
    mutable std::atomic<bool> woken_{false};
    bool happened_ = false, running_ = false;
};

template <class Endpoint>
template <class AnyLoop>
struct PolledEndpoint<Endpoint>::On : PolledEndpoint {
    template <class Options>
    On(AnyLoop&& opened, const Options& options)
        : PolledEndpoint(options, opened.backend().socket(options.socket).local(), opened.backend().name),
          loop(std::move(opened)) {}

    void turn() override { loop.turn(this->endpoint, static_cast<PolledEndpoint&>(*this)); }
    const Waker& waker() const override { return loop.backend().waker(); }
    EngineCounters counters() override { return loop.backend().counters(); }

    AnyLoop loop;
};

template <class Endpoint>
template <class Options>
Result<std::unique_ptr<PolledEndpoint<Endpoint>>> PolledEndpoint<Endpoint>::open(const SocketOptions& socket,
                                                                                 const EngineOptions& engine,
                                                                                 Options protocol) {
    auto opened = UdpSocket::open(socket);
    if (!opened) return std::unexpected(opened.error());
    protocol.start = now();
    std::string note;
    const auto drive = [&](auto& loop) -> std::unique_ptr<PolledEndpoint> {
        using AnyLoop = std::remove_reference_t<decltype(loop)>;
        protocol.socket = loop.backend().add(std::move(*opened));
        return std::make_unique<On<AnyLoop>>(std::move(loop), protocol);
    };
    auto polled = with_loop(engine, [&](const std::string& text) { note = text; }, drive);
    if (polled) (*polled)->note = std::move(note);
    return polled;
}

}  // namespace ringpost
