#pragma once

// The native transport with an engine on a thread of its own: connections that any number of threads use. What
// <ringpost/connection.hpp> promises holds here, too.
//
//     auto server = ringpost::ThreadedServer::listen("[::]:7000", {.keys = Keys::shared("cluster.psk")});
//     while (auto event = server->next(never))  // in each of several threads
//         for (const Message& message : event->messages)
//             server->send(event->connection, message.channel, reply_to(message), 1 * second);

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/connection.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/native/statistics.hpp>
#include <ringpost/native/types.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// Messages in memory of their own.
class OwnedMessages : public Messages {
  public:
    OwnedMessages() = default;
    OwnedMessages(const Messages& view, std::unique_ptr<std::byte[]> memory)
        : Messages(view), memory_(std::move(memory)) {}

  private:
    std::unique_ptr<std::byte[]> memory_;
};

/// A ConnectionEvent with memory of its own.
struct OwnedEvent {
    ConnectionEvent::Kind kind = ConnectionEvent::Kind::messages;
    std::uint8_t channel = 0;
    ConnectionNumber connection{};
    OwnedMessages messages{};
    std::uint64_t acknowledged = 0;
    CloseOutcome outcome{};
    std::string reason{};
};

/// A client's connection. Thread-safe.
///
/// Messages wait in queues of a bounded size: those to send in ProtocolOptions::send_log_bytes of their channel, those
/// received in ConnectOptions::received_bytes_max. When the latter is full, the peer's windows fill, and it stops. The
/// peer counts a message as taken by the application when it enters the queue, from which it can be taken also after
/// the end of the connection.
class RINGPOST_API ThreadedConnection {
  public:
    /// See ringpost::connect().
    static Result<ThreadedConnection> connect(const Address& server, const ConnectOptions& options);
    static Result<ThreadedConnection> connect(std::string_view server, const ConnectOptions& options);
    ThreadedConnection(ThreadedConnection&&) noexcept;
    ThreadedConnection& operator=(ThreadedConnection&&) noexcept;
    /// Closes at once, without waiting for what was sent: see close(). No other call may be in progress.
    ~ThreadedConnection();

    /// Sends a copy of the message, behind those sent before on its channel. would_block: there was no space within
    /// `timeout`.
    SendResult send(std::uint32_t channel, std::span<const std::byte> message, Duration timeout = 0);
    /// The same for messages of one size that lie one after another, without waiting. Returns how many were queued.
    std::size_t send_many(std::uint32_t channel, std::span<const std::byte> messages, std::size_t message_bytes);

    /// The next messages, of one channel; nullopt: none within `timeout`, or the connection has ended and none is left.
    std::optional<OwnedMessages> receive(Duration timeout);
    /// The same for events of every kind but `closed`, which is outcome().
    std::optional<OwnedEvent> next(Duration timeout);

    /// Takes no more sends, and waits until the peer's application has taken everything, or `timeout`.
    CloseOutcome close(Duration timeout, std::uint16_t code = 0, std::string_view reason = {});
    /// How the connection has ended; nullopt: it has not.
    std::optional<CloseOutcome> outcome() const;
    /// See Connection::close_reason().
    std::string close_reason() const;

    /// For a program with an event loop of its own: see gtudp::ThreadedMessenger::fd().
    int fd();
    /// See gtudp::ThreadedMessenger::usable().
    bool usable() const;

    // One round trip to the engine's thread each.
    native::Statistics statistics() const;
    native::Path path() const;
    EngineCounters engine_counters() const;

    const Address& peer() const;
    const Address& local() const;
    /// The cipher and what implements it, such as `ipsec-mb avx512`.
    std::string_view cipher() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;
    /// The most memory that this object can reserve: a bound that depends on its options only.
    std::size_t memory_bytes() const;

  private:
    struct State;
    explicit ThreadedConnection(std::unique_ptr<State> state);
    State& used() const;

    std::unique_ptr<State> state_;
};

/// The connections that clients make to one socket. Thread-safe. See ThreadedConnection and Server.
class RINGPOST_API ThreadedServer {
  public:
    /// See ringpost::listen().
    static Result<ThreadedServer> listen(const Address& bind, const ListenOptions& options);
    static Result<ThreadedServer> listen(std::string_view bind, const ListenOptions& options);
    ThreadedServer(ThreadedServer&&) noexcept;
    ThreadedServer& operator=(ThreadedServer&&) noexcept;
    /// Closes all connections at once: see stop(). No other call may be in progress.
    ~ThreadedServer();

    /// The next event of any connection. Events of one connection are in order, but threads that take them run at the
    /// same time. nullopt: none within `timeout`, or the server was stopped and none is left.
    std::optional<OwnedEvent> next(Duration timeout);

    // See ThreadedConnection.
    SendResult send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message,
                    Duration timeout = 0);
    std::size_t send_many(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> messages,
                          std::size_t message_bytes);
    /// Begins to close a connection; its event `closed` has the outcome, at `deadline` at the latest.
    void close(ConnectionNumber connection, Instant deadline, std::uint16_t code = 0, std::string_view reason = {});
    /// Closes all, waits until each has ended, or `timeout`, and ends the thread. Events can still be taken.
    /// Idempotent.
    void stop(Duration timeout);

    /// Reads another list of clients: see Keys::allow(). For handshakes from now on; nothing changes after an error.
    Result<void> allow(const std::string& file);
    // See Server.
    Result<void> add_session(std::string_view id, std::span<const std::byte> token);
    bool remove_session(std::string_view id);

    int fd();
    bool usable() const;

    // One round trip to the engine's thread each. Null values if the number names no connection.
    Address peer(ConnectionNumber connection) const;
    /// The id of the client's session, or its name in the list of those that may connect; "" if it has neither.
    std::string peer_name(ConnectionNumber connection) const;
    std::string peer_application(ConnectionNumber connection) const;
    native::Statistics statistics(ConnectionNumber connection) const;
    native::Path path(ConnectionNumber connection) const;
    std::uint32_t connections() const;
    native::Statistics statistics() const;
    native::EndpointCounters counters() const;
    native::ResponderCounters handshake_counters() const;
    EngineCounters engine_counters() const;

    const Address& local() const;
    const char* backend() const;
    const std::string& note() const;
    std::size_t memory_bytes() const;

  private:
    struct State;
    explicit ThreadedServer(std::unique_ptr<State> state);
    State& used() const;

    std::unique_ptr<State> state_;
};

}  // namespace ringpost
