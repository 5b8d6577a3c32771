#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/messenger_options.hpp>
#include "codec/gtudp/endpoint.hpp"
#include "engine/os/clock.hpp"

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;  // polled_endpoint.hpp

}  // namespace ringpost

namespace ringpost::gtudp {

/// Confirmed messages, each delivered once, for a program with its own event loop: an Endpoint on a socket and a
/// backend. Guarantees: see codec/gtudp/endpoint.hpp.
///
/// Not thread-safe: use it only on the thread that opened it. All work is done in poll(); call it frequently while
/// sends are in flight or messages are expected. For use from several threads see ThreadedMessenger.
class Messenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<Messenger> open(const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// Drops sends in flight; they get no outcome.
    ~Messenger();

    /// Copies `bytes` and sends them to `peer` in the next poll(). The send expires at `deadline`, an instant such as
    /// now() + 2 * second. The outcome is an event with the returned id.
    std::expected<ExchangeId, Refusal> send(const Address& peer, std::span<const std::byte> bytes,
                                            Instant deadline = never);
    /// Ends a send with an event of outcome `cancelled`. False if the send has already ended.
    bool cancel(ExchangeId id);
    /// Sends `bytes` unframed, once, to a peer that does not speak gtUDP. False if the queue is full.
    bool send_raw(const Address& peer, std::span<const std::byte> bytes);

    /// The event and its bytes are valid during the call only. The handler may call any member except poll(), may pass
    /// the bytes to send(), and must not throw.
    using Handler = std::function<void(const Event&)>;
    /// Sends, receives and runs timers until at least one event was passed to `handler` or `timeout` has elapsed. 0
    /// never sleeps; `never` has no limit. Returns whether there was an event. Reuse one Handler across calls:
    /// constructing it may allocate.
    bool poll(Duration timeout, const Handler& handler);
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// Number of sends without an outcome.
    std::uint32_t in_flight() const;
    Counters counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;
    /// Smoothed round-trip time to `peer`; 0 if unknown.
    Duration rtt(const Address& peer) const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::gtudp
