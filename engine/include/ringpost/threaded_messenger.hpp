#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/messenger_options.hpp>
#include "codec/gtudp/options.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::gtudp {

/// Why a send was refused. Nothing is transmitted.
enum class SendRefusal : std::uint8_t {
    queue_full,  ///< OpenOptions::sends_max sends are pending or have untaken outcomes, or the payload pool is empty
    too_large,   ///< more than protocol.codec.data_bytes_max()
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
};

struct Message {
    Address peer;
    std::vector<std::byte> bytes;
    bool foreign = false;  ///< a datagram that is not gtUDP (Options::recv_from_any)
};

/// Confirmed messages, each delivered once: an Endpoint with its own thread. Thread-safe.
///
/// No call blocks longer than its timeout. The queues between the callers and the engine's thread are bounded and
/// lock-free. When the send queue is full, send() refuses. When the receive queue is full, messages are not
/// acknowledged, so their senders retransmit (Counters::app_behind). The engine's thread does not allocate after
/// open(); receive() allocates the message it returns.
class ThreadedMessenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<ThreadedMessenger> open(const OpenOptions& options = {});
    ThreadedMessenger(ThreadedMessenger&&) noexcept;
    ThreadedMessenger& operator=(ThreadedMessenger&&) noexcept;
    /// Calls stop(). No other call may be in progress: call stop() first and let other threads return.
    ~ThreadedMessenger();

    /// Copies `bytes` for `peer` and returns immediately. The send expires at `deadline`, an instant such as
    /// now() + 2 * second. Its outcome is returned by exactly one next_outcome().
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

  private:
    class Thread;
    explicit ThreadedMessenger(std::unique_ptr<Thread> thread);

    std::unique_ptr<Thread> thread_;
};

}  // namespace ringpost::gtudp
