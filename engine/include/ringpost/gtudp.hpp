#pragma once

// gtUDP: messages that are confirmed, and delivered once. Messenger belongs to one thread and works in poll();
// ThreadedMessenger has a thread of its own and is used by any number of others.
//
// As long as both ends live and the peer responds, a message is delivered to the peer's application exactly once, even
// if the network drops, duplicates, delays or reorders datagrams within the remembered window
// (ProtocolOptions::remembered). Messages are unordered. Every accepted send ends with exactly one outcome. `confirmed`
// means that the peer has the message; with any other outcome the peer may or may not have it.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/bytes.hpp>
#include <ringpost/clock.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/gtudp/types.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;

}  // namespace ringpost

namespace ringpost::gtudp {

class Endpoint;

/// For Messenger and ThreadedMessenger.
struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: chosen by the kernel, see local()
    /// The only peer; replaces `bind`. The kernel then reports its port or host as unreachable
    /// (EngineCounters::unreachable). Family::none: any peer.
    Address connect{};
    /// Receive only from these networks; empty: from all. Others are dropped (EngineCounters::not_allowed).
    std::vector<Subnet> allowed{};
    bool gro = true;  ///< receive trains (UDP_GRO) if the kernel supports it
    EngineOptions engine{};
    Wire wire{};  ///< the same at both ends
    ProtocolOptions protocol{};

    // Queue capacities of a ThreadedMessenger, each rounded up to a power of two. A payload of more than 2,048 bytes
    // needs a large block; there is one large block per large_share entries.
    std::uint32_t sends_max = 4'096;     ///< sends whose outcome has not been taken; 1 to 2^20
    std::uint32_t receives_max = 4'096;  ///< received messages that have not been taken; 1 to 2^20
};
inline constexpr std::uint32_t large_share = 32;

/// For a program with its own event loop.
///
/// Not thread-safe: use it only on the thread that opened it. All work is done in poll(); call it frequently while
/// sends are in flight or messages are expected.
class RINGPOST_API Messenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<Messenger> open(const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// Drops sends in flight; they get no outcome.
    ~Messenger();

    /// Copies `bytes` and sends them to `peer` in the next poll(). The send expires at `deadline`, an instant such as
    /// Clock::after(2 * second). The outcome is an event with the returned id.
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

    /// For a program with an event loop of another library: wait until fd() is readable or next_deadline() is reached,
    /// then call poll(0, ...), which never blocks. The descriptor belongs to this object; do not read from it or close
    /// it. From the first call of fd() on, the socket is not polled directly, which costs some latency.
    int fd();
    /// When poll() is due although fd() is not readable: an instant in the past if it is due now, as after a send;
    /// `never` if it is not.
    Instant next_deadline() const;

    /// Whether this object may be used: it was not moved from, and this is the thread and the process that opened it.
    /// Otherwise every member but this one and wake(), and those that any thread may call, ends the process with a line
    /// that gives the reason. After fork() the child may only destroy it, which leaves its descriptors open until the
    /// child ends or calls exec.
    bool usable() const;

    /// Number of sends without an outcome.
    std::uint32_t in_flight() const;
    /// Number of messages received whose senders may not know yet that they arrived. Before a receiver ends, poll()
    /// until there are none, or until nothing comes from the senders any more: otherwise messages that were delivered
    /// are given up.
    std::uint32_t awaiting_acks() const;
    Counters counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;
    /// Smoothed round-trip time to `peer`; 0 if unknown.
    Duration rtt(const Address& peer) const;

    // Any thread.
    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The memory that this object has reserved: a bound that depends on its options only. It takes up pages as tables
    /// and buffers fill.
    std::size_t memory_bytes() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

/// Why a send of a ThreadedMessenger was refused. Nothing is transmitted.
enum class SendRefusal : std::uint8_t {
    queue_full,  ///< OpenOptions::sends_max sends are pending or have untaken outcomes, or the payload pool is empty
    too_large,   ///< more than fits one datagram
    bad_peer,    ///< see Refusal::bad_peer
    table_full,  ///< protocol.sends_max or protocol.payload_bytes are in flight
    peer_full,   ///< protocol.sends_per_peer_max are in flight to this peer
    peers_full,  ///< protocol.peers_max peers all have sends in flight or remembered state
    stopped,     ///< the engine has stopped
};

/// The result of a send. Only `confirmed` proves delivery; the other outcomes do not prove the opposite.
using SendResult = std::expected<Outcome, SendRefusal>;

/// Identifies an accepted send; unique within its ThreadedMessenger.
struct Ticket {
    std::uint64_t number = 0;
    bool operator==(const Ticket&) const = default;
};

struct Ended {
    Ticket ticket;
    Address peer;
    /// table_full, peer_full and peers_full are reported only here, because the engine's thread detects them.
    SendResult result;
    std::uint32_t sends = 0;  ///< number of transmissions, including retransmissions
    int error = 0;            ///< see Event::error
};

struct Message {
    Address peer;
    std::vector<std::byte> bytes;
    bool foreign = false;  ///< a datagram that is not gtUDP (ProtocolOptions::recv_from_any)
};

/// Confirmed messages with an engine on a thread of its own. Thread-safe.
///
/// No call blocks longer than its timeout. The queues between the callers and the engine's thread are bounded and
/// lock-free. When the send queue is full, send() refuses. When the receive queue is full, messages are not
/// acknowledged, so their senders retransmit (Counters::app_behind). The engine's thread does not allocate after
/// open(); receive() allocates the message it returns.
class RINGPOST_API ThreadedMessenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<ThreadedMessenger> open(const OpenOptions& options = {});
    ThreadedMessenger(ThreadedMessenger&&) noexcept;
    ThreadedMessenger& operator=(ThreadedMessenger&&) noexcept;
    /// Calls stop(). No other call may be in progress: call stop() first and let other threads return.
    ~ThreadedMessenger();

    /// Copies `bytes` for `peer` and returns immediately. The send expires at `deadline`, an instant such as
    /// Clock::after(2 * second). Its outcome is returned by exactly one next_outcome().
    std::expected<Ticket, SendRefusal> send(const Address& peer, std::span<const std::byte> bytes,
                                            Instant deadline = never);
    /// Requests cancellation; no effect if the send has already ended. False if the command queue is full: retry.
    bool cancel(Ticket ticket);
    /// Returns outcomes of send() in the order in which the sends ended; nullopt on timeout, or when the engine has
    /// stopped and none is left. Untaken outcomes are kept and count towards sends_max.
    std::optional<Ended> next_outcome(Duration timeout);

    /// Sends and waits for the outcome. The deadline of the send is `timeout` from now.
    SendResult send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout);

    /// Returns the next message; nullopt on timeout, or when the engine has stopped and none is left.
    std::optional<Message> receive(Duration timeout);

    /// For a program with an event loop of its own: readable while receive(0) or next_outcome(0) may return something.
    /// When it is, call both until each returns nullopt. The descriptor belongs to this object; do not read from it or
    /// close it. -1: the process has no descriptor left.
    int fd();

    /// Whether this object may be used: it was not moved from, and this is the process that opened it. Otherwise every
    /// member but this one ends the process with a line that gives the reason. After fork() the child may only destroy
    /// it.
    bool usable() const;

    /// Ends every pending send with `cancelled`, closes the socket and ends the thread. Blocked calls return; queued
    /// messages and outcomes can still be taken. Idempotent.
    void stop();

    /// Counters of the endpoint; of the socket and the backend. One round trip to the engine's thread.
    Counters counters() const;
    EngineCounters engine_counters() const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The memory that this object has reserved: a bound that depends on its options only. It takes up pages as tables
    /// and buffers fill.
    std::size_t memory_bytes() const;

  private:
    class Thread;
    explicit ThreadedMessenger(std::unique_ptr<Thread> thread);
    Thread& used() const;

    std::unique_ptr<Thread> thread_;
};

}  // namespace ringpost::gtudp
