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

/// Why a send has not been taken. It will never be sent, and has no outcome.
enum class SendRefusal : std::uint8_t {
    queue_full,  ///< OpenOptions::sends_max are under way or have untaken outcomes, or their payloads fill the queue
    too_large,   ///< more than protocol.codec.data_bytes_max()
    table_full,  ///< protocol.sends_max or protocol.payload_bytes are in flight
    peer_full,   ///< protocol.sends_per_peer_max are in flight to this peer
    peers_full,  ///< protocol.peers_max peers all have something in flight or remembered
    stopped,     ///< the engine has been
};

/// How a send has ended. Only `confirmed` says that the peer has it; the other outcomes do not say that it has not.
using SendResult = std::expected<Outcome, SendRefusal>;

/// A send that was taken, different from every other of the same engine.
struct Ticket {
    std::uint64_t number = 0;
    bool operator==(const Ticket&) const = default;
};

struct Ended {
    Ticket ticket;
    Address peer;
    /// table_full, peer_full and peers_full can only be told here, once the engine's thread has looked.
    SendResult result;
    std::uint32_t sends = 0;  ///< how often the message was sent
};

struct Message {
    Address peer;
    std::vector<std::byte> bytes;
    bool foreign = false;  ///< a datagram that is not gtUDP (Options::recv_from_any)
};

/// Messages that arrive, once each, on a thread of its own: an Endpoint that any number of threads use at once.
///
/// Every call may be made from any thread, and none waits longer than it says. The queues between those threads and the
/// engine's own are bounded and take no locks; when one is full, that is an answer: send() refuses, and a message that
/// receive() has no place for is not acknowledged, so that its sender tries again (Counters::app_behind).
/// The engine's thread allocates nothing after open(); receive() allocates the message it returns.
class ThreadedMessenger {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<ThreadedMessenger> open(const OpenOptions& options = {});
    ThreadedMessenger(ThreadedMessenger&&) noexcept;
    ThreadedMessenger& operator=(ThreadedMessenger&&) noexcept;
    /// stop(). No other call may still be under way: stop() and let their threads return first.
    ~ThreadedMessenger();

    /// Takes a copy of `bytes` for `peer` and returns at once. It is given up unless confirmed by `deadline`, an
    /// instant like now() + 2 * second. Exactly one next_outcome() then tells how it has ended.
    std::expected<Ticket, SendRefusal> send(const Address& peer, std::span<const std::byte> bytes,
                                            Instant deadline = never);
    /// Asks for the outcome `cancelled`, unless there is another already. False when the queue is full: ask again.
    bool cancel(Ticket ticket);
    /// The outcome of one send(), of those that have ended the first; nothing when there is none for `timeout`, or ever
    /// since the engine has been stopped. Outcomes that nobody takes are kept, and count towards sends_max.
    std::optional<Ended> next_outcome(Duration timeout);

    /// send(), and waits for the outcome, at most for `timeout`: that is its deadline.
    SendResult send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout);

    /// The next message; nothing when none has come for `timeout`, or is left since the engine has been stopped.
    std::optional<Message> receive(Duration timeout);

    /// Ends every send that has no outcome with `cancelled`, closes the socket and ends the thread. Calls that wait
    /// return; what has arrived and ended can still be taken. May be called again.
    void stop();

    /// What the endpoint, the socket and the backend have done; waits for the engine's thread to tell.
    Counters counters() const;
    EngineCounters engine_counters() const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic has not taken io_uring; "" when it has.
    const std::string& note() const;

  private:
    class Thread;
    explicit ThreadedMessenger(std::unique_ptr<Thread> thread);

    std::unique_ptr<Thread> thread_;
};

}  // namespace ringpost::gtudp
