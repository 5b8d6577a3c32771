#pragma once

// The engine alone, for a protocol of one's own: a state machine without I/O (<ringpost/endpoint.hpp>) is driven over
// UDP sockets on either backend, in trains where the kernel takes them (GSO, GRO). Connections (TCP) are not included.
//
// The library sees the state machine through AnyEndpoint: one virtual call for a train of datagrams, whose loop over
// the datagrams is compiled into the program.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <ringpost/address.hpp>
#include <ringpost/clock.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/endpoint.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/options.hpp>
#include <ringpost/socket_options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;

/// What an Engine drives: the calls of an endpoint but for poll_event(), and trains in place of datagrams
/// (<ringpost/endpoint.hpp>). The engine calls them on the thread that polls. None may throw or call the engine.
class AnyEndpoint {
  public:
    virtual void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) = 0;
    virtual void handle_timeout(Instant now) = 0;
    virtual std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) = 0;
    virtual std::optional<Instant> poll_timeout() const = 0;

  protected:
    AnyEndpoint() = default;
    AnyEndpoint(const AnyEndpoint&) = default;
    AnyEndpoint& operator=(const AnyEndpoint&) = default;
    ~AnyEndpoint() = default;
};

/// Passes on the five calls of an endpoint; its events go to on_event(now, event).
template <DatagramEndpoint Endpoint, std::invocable<Instant, const typename Endpoint::Event&> OnEvent>
class AnyEndpointOf final : public AnyEndpoint {
  public:
    /// Both must outlive this object.
    AnyEndpointOf(Endpoint& endpoint, OnEvent& on_event) : endpoint_(endpoint), on_event_(on_event) {}

    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) override {
        if constexpr (TrainEndpoint<Endpoint>)
            endpoint_.handle_train(now, train, segment_bytes);
        else
            for_each_segment(train, segment_bytes, [&](const Datagram& each) { endpoint_.handle(now, each); });
        dispatch(now);
    }
    void handle_timeout(Instant now) override {
        endpoint_.handle_timeout(now);
        dispatch(now);
    }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) override {
        return endpoint_.poll_transmit(now, out);
    }
    std::optional<Instant> poll_timeout() const override { return endpoint_.poll_timeout(); }

  private:
    void dispatch(Instant now) {
        while (const auto event = endpoint_.poll_event()) on_event_(now, *event);
    }

    Endpoint& endpoint_;
    OnEvent& on_event_;
};

/// One engine: a backend and its sockets. An endpoint is given to each poll(), and must be the same one as long as its
/// datagrams are under way.
///
/// Not thread-safe: use it only on the thread that opened it. Nothing on the path of a datagram allocates.
class RINGPOST_API Engine {
  public:
    static Result<Engine> open(const EngineOptions& options = {});
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    /// Closes the sockets. What poll_transmit() wrote and the kernel has not taken is dropped.
    ~Engine();

    /// Opens a socket; datagrams carry its index. The error names what failed: `bind 127.0.0.1:53: Permission denied`.
    Result<SocketIndex> open_socket(const SocketOptions& options);
    /// The index must be of an open socket, here, below, and in what the endpoint returns; another ends the process
    /// with a line. It is free for a later socket from now on.
    void close_socket(SocketIndex socket);
    const Address& local(SocketIndex socket) const;
    /// Joins or leaves a multicast group on the named interface; "": chosen by the routing table.
    Result<void> join(SocketIndex socket, const Address& group, const std::string& interface);
    Result<void> leave(SocketIndex socket, const Address& group, const std::string& interface);

    /// Sends, receives and runs timers until at least one train was received or `timeout` has elapsed. 0 never sleeps;
    /// `never` has no limit. Returns whether one was received.
    bool poll(Duration timeout, AnyEndpoint& endpoint);
    template <DatagramEndpoint Endpoint, std::invocable<Instant, const typename Endpoint::Event&> OnEvent>
    bool poll(Duration timeout, Endpoint& endpoint, OnEvent&& on_event) {
        AnyEndpointOf any(endpoint, on_event);
        return poll(timeout, any);
    }
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// For a program with an event loop of another library: wait until fd() is readable or next_deadline() is reached,
    /// then call poll(0, ...), which never blocks. The descriptor belongs to this object; do not read from it or close
    /// it. From the first call of fd() on, the socket is not polled directly, which costs some latency.
    int fd();
    /// When poll() is due although fd() is not readable, as of the end of the last poll(): an instant in the past if it
    /// is due now, `never` if it is not. What the program does to the endpoint afterwards does not count.
    Instant next_deadline() const;

    /// Whether this object may be used: it was not moved from, and this is the thread and the process that opened it.
    /// Otherwise every member but this one and wake(), and those that any thread may call, ends the process with a line
    /// that gives the reason. After fork() the child may only destroy it, which leaves its descriptors open until the
    /// child ends or calls exec.
    bool usable() const;

    EngineCounters counters() const;

    // Any thread.
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The memory that this object has reserved: a bound that depends on its options only. It takes up pages as tables
    /// and buffers fill.
    std::size_t memory_bytes() const;

  private:
    class Driven;
    explicit Engine(std::unique_ptr<PolledEndpoint<Driven>> polled);

    std::unique_ptr<PolledEndpoint<Driven>> polled_;
};

}  // namespace ringpost
