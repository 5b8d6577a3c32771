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
#include "engine/faces/failed_peers.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/owner.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// A program that takes few events at a time still lets the endpoint work at least this often.
inline constexpr Duration turn_within = 100 * microsecond;

/// Not thread-safe: use it only on the thread that opened it.
template <class Endpoint>
class PolledEndpoint {
  public:
    using Event = typename Endpoint::Event;
    using Handler = std::function<void(const Event&)>;

    /// make() returns the endpoint; there is no socket yet.
    template <class Make>
    static Result<std::unique_ptr<PolledEndpoint>> open(const EngineOptions& engine, const Make& make);
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
        if (!handler) [[unlikely]]
            detail::check_failed("poll() with an empty handler", "ringpost", 0);
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

    /// Whether wake() was called since the last poll() or take_woken().
    bool woken() const { return woken_; }
    bool take_woken() { return woken_.exchange(false); }

    // The backend's calls.
    virtual SocketIndex add(UdpSocket socket) = 0;
    virtual void remove(SocketIndex socket) = 0;
    virtual UdpSocket& socket(SocketIndex socket) = 0;
    virtual Result<Watched> watch(int fd) = 0;
    virtual EngineCounters counters() = 0;

    /// The endpoint, for a call after which it may have something to send.
    Endpoint& change() {
        due_ = true;
        return endpoint;
    }

    /// The next event. That it was taken may give the endpoint something to send.
    std::optional<Event> take_event() {
        auto event = endpoint.poll_event();
        if (event) due_ = true;
        return event;
    }
    /// When it last worked.
    Instant turned_at() const { return turned_at_; }

    // For a loop of others, which waits until fd() is readable or next_deadline(), and then calls poll(0).
    int fd() {
        if (fd_ < 0) fd_ = stay_armed();
        return fd_;
    }
    Instant next_deadline() const {
        if (due_) return 0;
        return blocked() ? never : endpoint.poll_timeout().value_or(never);
    }

    /// Whether the calling thread may use this object.
    bool usable() const { return owner_.here(); }
    /// Ends the process if it may not.
    void check_owner() const { owner_.check(); }
    bool forked() const { return owner_.forked(); }
    /// The errno with which the kernel last refused a datagram to this peer; 0: none.
    int error_of(const Address& peer) const { return failed_.error_of(peer); }

    // Called by the loop.
    void on_event(Instant, const Event& event) {
        happened_ = true;
        if constexpr (has_outcomes<Event>) {
            if (event.kind == Event::Kind::message) failed_.on_message(event.peer);
            const bool failed =
                event.kind == Event::Kind::outcome && event.outcome != decltype(event.outcome)::confirmed;
            if (const int error = failed ? failed_.error_of(event.peer) : 0; error != 0) {
                Event with_error = event;
                with_error.error = error;
                return (*handler_)(with_error);
            }
        }
        (*handler_)(event);
    }
    bool has_room() const { return done_ == nullptr; }
    /// Once there was an event, the turn does not sleep; it only sends the responses.
    Instant on_turn(Instant at) {
        if (done_ != nullptr) happened_ = happened_ || (*done_)();
        if constexpr (requires { endpoint.take_happened(); }) happened_ |= endpoint.take_happened();
        // The reap of this turn may have consumed the wake-up, so the turn must not sleep.
        return happened_ || (polling() && woken_) ? at : deadline_;
    }

    Endpoint endpoint;
    Address local;
    const char* backend;           ///< `uring` or `mmsg`
    std::uint64_t bad_peers = 0;   ///< sends refused because of their destination
    std::size_t memory_bytes = 0;  ///< set by the face
    std::string note;              ///< why BackendChoice::automatic did not select io_uring; "" if it did

  protected:
    template <class Make>
    PolledEndpoint(const Make& make, const char* name, const Log& log)
        : endpoint(make()), backend(name), failed_(log) {}

    /// Whether another turn is due at once.
    virtual bool turn() = 0;
    virtual bool blocked() const = 0;
    virtual int stay_armed() = 0;
    virtual const Waker& waker() const = 0;

  private:
    template <class AnyLoop>
    struct On;

    /// Whether an event can be the end of a send, and carry its errno.
    template <class AnyEvent>
    static constexpr bool has_outcomes = requires(AnyEvent& event) {
        { event.error } -> std::same_as<int&>;
        event.outcome;
    };

    bool polling() const { return handler_ != nullptr; }

    bool run(Duration timeout) {
        RINGPOST_CHECK(!running_);  // called from within a handler
        running_ = true;
        deadline_ = deadline_after(timeout);
        happened_ = false;
        turn_now();
        // A turn ends with a wait; what arrives then is handled by the next turn, so one more follows the deadline.
        for (bool late = false; !happened_ && !late && !(polling() && woken_.exchange(false));) {
            late = now() >= deadline_;
            turn_now();
        }
        handler_ = nullptr;
        done_ = nullptr;
        running_ = false;
        turned_at_ = now();
        return happened_;
    }

    void turn_now() {
        due_ = false;  // the handler may change it
        // The system's clock may be stepped during a long poll().
        if constexpr (requires { endpoint.set_unix_offset(Duration{}); }) endpoint.set_unix_offset(unix_offset());
        const bool again = turn();
        due_ = due_ || again;
    }

    Owner owner_;
    FailedPeers failed_;
    const Handler* handler_ = nullptr;             // set during poll()
    const std::function<bool()>* done_ = nullptr;  // set during wait_for()
    Instant deadline_ = never;
    Instant turned_at_ = 0;
    mutable std::atomic<bool> woken_{false};
    int fd_ = -1;
    bool due_ = false;  ///< there may be something to send
    bool happened_ = false, running_ = false;
};

template <class Endpoint>
template <class AnyLoop>
struct PolledEndpoint<Endpoint>::On : PolledEndpoint {
    template <class Make>
    On(AnyLoop&& opened, const Make& make, const Log& log)
        : PolledEndpoint(make, opened.backend().name, log), loop(std::make_unique<AnyLoop>(std::move(opened))) {}
    /// A child after fork() shares the ring with its parent, and must not submit the requests that closing takes. Its
    /// descriptors stay open until it ends or calls exec.
    ~On() override {
        if (this->forked()) [[maybe_unused]]
            AnyLoop* const left = loop.release();
    }
    On(const On&) = delete;
    On& operator=(const On&) = delete;

    bool turn() override {
        const bool again = loop->turn(this->endpoint, static_cast<PolledEndpoint&>(*this));
        this->failed_.take(loop->backend().send_failures());
        return again;
    }
    bool blocked() const override { return loop->backend().blocked(); }
    int stay_armed() override { return loop->backend().stay_armed(); }
    SocketIndex add(UdpSocket socket) override { return loop->backend().add(std::move(socket)); }
    void remove(SocketIndex socket) override { loop->backend().remove(socket); }
    UdpSocket& socket(SocketIndex socket) override { return loop->backend().socket(socket); }
    Result<Watched> watch(int fd) override { return loop->backend().watch(fd); }
    const Waker& waker() const override { return loop->backend().waker(); }
    EngineCounters counters() override { return loop->backend().counters(); }

    std::unique_ptr<AnyLoop> loop;
};

template <class Endpoint>
template <class Make>
Result<std::unique_ptr<PolledEndpoint<Endpoint>>> PolledEndpoint<Endpoint>::open(const EngineOptions& engine,
                                                                                 const Make& make) {
    std::string note;
    const auto drive = [&](auto& loop) -> std::unique_ptr<PolledEndpoint> {
        return std::make_unique<On<std::remove_reference_t<decltype(loop)>>>(std::move(loop), make, engine.log);
    };
    const auto report = [&](const std::string& text) {
        note = text;
        if (engine.log) engine.log(LogLevel::warning, text);
    };
    auto polled = with_loop(engine, report, drive);
    if (polled) (*polled)->note = std::move(note);
    return polled;
}

template <class Endpoint>
template <class Make>
    requires std::invocable<const Make&, SocketIndex>
Result<std::unique_ptr<PolledEndpoint<Endpoint>>> PolledEndpoint<Endpoint>::open(const SocketOptions& socket,
                                                                                 const EngineOptions& engine,
                                                                                 const Make& make) {
    auto opened = UdpSocket::open(socket);
    if (!opened) return std::unexpected(opened.error());
    constexpr SocketIndex first = 0;  // of the backend
    auto polled = open(engine, [&] { return make(first); });
    if (!polled) return polled;
    (*polled)->local = opened->local();
    const SocketIndex index = (*polled)->add(std::move(*opened));
    RINGPOST_CHECK(index == first);
    return polled;
}

/// What a face points to. Ends the process if the face was moved from.
template <class Endpoint>
PolledEndpoint<Endpoint>& present(const std::unique_ptr<PolledEndpoint<Endpoint>>& polled) {
    if (polled == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    return *polled;
}
/// The same, and if the face is used on a thread or in a process that did not open it: going on would corrupt what its
/// owner does.
template <class Endpoint>
PolledEndpoint<Endpoint>& used(const std::unique_ptr<PolledEndpoint<Endpoint>>& polled) {
    present(polled).check_owner();
    return *polled;
}

}  // namespace ringpost
