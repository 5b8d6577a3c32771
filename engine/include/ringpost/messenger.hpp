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

/// Messages that arrive, once each, for a program with a loop of its own: an Endpoint on a socket and a backend.
///
/// It belongs to the thread that opened it. Nothing happens but in poll(), which is to be called often while anything
/// is in flight or may come; from other threads, use a ThreadedMessenger (threaded_messenger.hpp).
class Messenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<Messenger> open(const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// What is in flight ends here, without an outcome.
    ~Messenger();

    /// Takes a copy of `bytes` for `peer`, which leaves with the next poll(). It is given up unless confirmed by
    /// `deadline`, an instant like now() + 2 * second. Its outcome is an event with the same id.
    std::expected<ExchangeId, Refusal> send(const Address& peer, std::span<const std::byte> bytes,
                                            Instant deadline = never);
    /// Ends a send with the outcome `cancelled`, which is an event too; false when it has ended already.
    bool cancel(ExchangeId id);
    /// Sends `bytes` as they are, once, to a peer that does not speak gtUDP; false when the queue is full.
    bool send_raw(const Address& peer, std::span<const std::byte> bytes);

    /// An event's bytes are valid during the call, which may call everything here but poll(), also with them. It must
    /// not throw.
    using Handler = std::function<void(const Event&)>;
    /// Sends, receives and keeps the timers until `handler` has been given something, or `timeout` is over: 0 never
    /// sleeps, `never` waits as long as it takes. False when there was nothing. A handler that is made once and kept
    /// costs nothing; one made anew for each call may allocate.
    bool poll(Duration timeout, const Handler& handler);
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// Sends that have no outcome yet.
    std::uint32_t in_flight() const;
    Counters counters() const;
    /// What the socket and the backend have done.
    EngineCounters engine_counters() const;
    /// The smoothed round trip to `peer`, 0 when unknown.
    Duration rtt(const Address& peer) const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic has not taken io_uring; "" when it has.
    const std::string& note() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::gtudp
