#pragma once

// The native transport: encrypted connections with ordered channels of messages of up to 1 GiB, between two ends that
// one party operates. A Connection is a client's; a Server accepts any number of them on one socket.
//
//     auto client = ringpost::connect("host:7000", {.keys = Keys::shared("cluster.psk")});
//     client->send(0, as_bytes("hello"));
//     while (auto messages = client->receive(1 * second))
//         for (const Message& message : *messages) print(message.bytes);
//     client->close(2 * second);
//
// A message is delivered to the peer's application once and in the order of its channel, or the connection ends.
// codec/native/README.md has what this promises and what it does not.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/bytes.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/native/statistics.hpp>
#include <ringpost/native/types.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

using native::CloseOutcome;
using native::ConnectionNumber;
using native::Message;
using native::Messages;
using native::SendResult;

/// What an end proves itself with, and whom it accepts. A value; copies share the secrets, which are wiped with the
/// last copy. Files are those of `ringpost key`; what is wrong with one is the error of connect() and listen().
///
/// | a server's | a client's | handshake | what it proves |
/// |---|---|---|---|
/// | shared | shared | NNpsk0 | that both belong to the group, not which member it is |
/// | pair | none, peer | NK | who the server is; the client stays anonymous |
/// | pair, allow | pair, peer | IK | who both are |
/// | pair, allow, with_shared | pair, peer, with_shared | IKpsk2 | the same |
/// | any, and Server::add_session() | session | NNpsk0 | that both have the token of this session |
class RINGPOST_API Keys {
  public:
    using Secret = std::array<std::byte, 32>;

    /// One secret that all ends of a group have: a file that only its owner may read, or the secret itself.
    static Keys shared(const std::string& file);
    static Keys shared(const Secret& secret);
    /// The key pair of this end, by its secret key. A server without allow() accepts every client.
    static Keys pair(const std::string& file);
    static Keys pair(const Secret& secret);
    /// No keys of our own: a client's, with peer(), or a server's that has nothing but sessions.
    static Keys none();
    /// A client's, whose application has its own login: the token that it got there, at least 16 bytes that nobody can
    /// guess, and the id, at most 64 bytes, under which Server::add_session() was given the token.
    static Keys session(std::string_view id, std::span<const std::byte> token);

    /// At a server: only clients in this list, a file with a public key, a name, and perhaps a rate on each line.
    [[nodiscard]] Keys allow(const std::string& file) const;
    /// At a client: the server's public key, in base64.
    [[nodiscard]] Keys peer(std::string_view public_key) const;
    /// A shared secret in addition to a pair, which protects recorded traffic if X25519 is broken.
    [[nodiscard]] Keys with_shared(const std::string& file) const;

    Keys();  ///< none()

    struct Chain;
    const Chain& chain() const { return *chain_; }  ///< for the implementation

  private:
    explicit Keys(std::shared_ptr<const Chain> chain);
    std::shared_ptr<const Chain> chain_;
};

struct ConnectOptions {
    Keys keys{};
    /// Neither encrypted nor authenticated: for private networks and for measuring. Both ends must ask for it. Without
    /// keys, everybody may connect.
    bool insecure = false;
    Duration timeout = 10 * second;  ///< for the handshake
    /// Called now and then during the handshake, and after each signal: true ends it with ECANCELED.
    std::function<bool()> cancelled{};
    native::ProtocolOptions protocol{};
    std::string application{};  ///< a name that the peer sees, at most 64 bytes of UTF-8
    /// A directory for a log of the connection's packets in the qlog format; it is made if it is missing. "": no log.
    std::string qlog{};
    bool gro = true;  ///< receive trains (UDP_GRO) if the kernel supports it
    EngineOptions engine{};
    /// Of a ThreadedConnection: messages that were received and not taken, with 100 bytes for each group of them. There
    /// is always room for one message.
    std::size_t received_bytes_max = 4u << 20;
};

struct ListenOptions {
    Keys keys{};
    bool insecure = false;                  ///< see ConnectOptions
    std::uint32_t connections_max = 4'096;  ///< a power of two up to 2^20
    /// Handshakes per second from which on a client must prove its address.
    std::uint32_t handshakes_per_second = 1'000;
    std::uint32_t sessions_max = 0;  ///< that add_session() may add, up to 2^20
    native::ProtocolOptions protocol{};
    std::string application{};  ///< see ConnectOptions
    std::string qlog{};         ///< see ConnectOptions; one log for all connections
    /// Receive only from these networks; empty: from all. Others are dropped (EngineCounters::not_allowed).
    std::vector<Subnet> allowed{};
    bool gro = true;  ///< see ConnectOptions
    EngineOptions engine{};
    std::size_t received_bytes_max = 16u << 20;  ///< of a ThreadedServer, for all connections; see ConnectOptions
};

/// Something that happened to a connection.
struct ConnectionEvent {
    enum class Kind : std::uint8_t {
        opened,        ///< a client has connected
        messages,      ///< `messages`, valid until the next call that is not const
        writable,      ///< `channel` has space after a send was refused
        acknowledged,  ///< ProtocolOptions::acknowledgements: the peer has more messages of `channel`
        breaker,       ///< CongestionControl::fixed has halved its rate
        closing,       ///< the peer sends nothing more, and accepts nothing; what it sent follows until `closed`
        closed,        ///< `outcome`; the last event of the connection
    };
    Kind kind = Kind::messages;
    std::uint8_t channel = 0;
    ConnectionNumber connection{};
    Messages messages{};
    /// The peer has all messages of `channel` below this number; the first that was queued has 0.
    std::uint64_t acknowledged = 0;
    CloseOutcome outcome{};
    /// What the peer gave close() as its reason, of `closing` and `closed`: as it came from the wire, up to 255 bytes.
    /// Valid like `messages`.
    std::string_view reason{};
};

/// The reason of an outcome as text, such as `the peer was silent for the idle timeout`.
RINGPOST_API std::string_view to_text(native::CloseCode code);

class Connection;
class Server;

/// Opens a socket, connects it, and shakes hands. The error names what failed: `connect 127.0.0.1:7000: nothing listens
/// there`.
RINGPOST_API Result<Connection> connect(const Address& server, const ConnectOptions& options);
/// The same with HOST:PORT; IPv6 literals in brackets.
RINGPOST_API Result<Connection> connect(std::string_view server, const ConnectOptions& options);

/// Accepts connections on a socket. The error names what failed: `bind [::]:7000: Address already in use`.
RINGPOST_API Result<Server> listen(const Address& bind, const ListenOptions& options);
/// The same with ADDRESS:PORT; port 0 is chosen by the kernel.
RINGPOST_API Result<Server> listen(std::string_view bind, const ListenOptions& options);

/// A client's connection.
///
/// Not thread-safe: use it only on the thread that opened it. All work, acknowledgements too, is done in the calls that
/// take a timeout; call one at least every few seconds. A timeout of 0 never sleeps, `never` has no limit. send() of a
/// copy and receive() of a view are the whole interface of a simple program; poll() is the fastest way to receive.
class RINGPOST_API Connection {
  public:
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    /// Closes at once, without waiting for what was sent: see close().
    ~Connection();

    /// Appends a copy of the message to the channel; it leaves with the next call that takes a timeout.
    SendResult send(std::uint32_t channel, std::span<const std::byte> message);
    /// The same, but waits for space. would_block: there was none within `timeout`.
    SendResult send(std::uint32_t channel, std::span<const std::byte> message, Duration timeout);
    /// The same for `count` messages of one size that lie one after another. Returns how many were queued.
    std::size_t send_many(std::uint32_t channel, std::span<const std::byte> messages, std::size_t message_bytes);
    /// Space for messages of one size, to be written in place, without a copy: message i at `at` + i * `stride`, for as
    /// many of `count` as lie in one piece. None: no such channel, closing, too large, no space, or none in one piece;
    /// send() finds out.
    native::Reserved reserve(std::uint32_t channel, std::size_t message_bytes, std::size_t count);
    /// Queues the first `count` of what the last reserve() on this channel has returned. More end the process.
    void commit(std::uint32_t channel, std::size_t count);
    /// Waits until the peer has acknowledged everything that was sent. False: not within `timeout`, or closed.
    bool flush(Duration timeout);

    /// The next messages, of one channel, valid until the next call; nullopt: none within `timeout`, wake(), or the
    /// connection has ended, see outcome(). Events other than messages are passed over.
    std::optional<Messages> receive(Duration timeout);

    /// The event and its messages are valid during the call only. The handler may call send() and must not throw.
    using Handler = std::function<void(const ConnectionEvent&)>;
    /// Works until at least one event was passed to `handler`, or `timeout` has elapsed. Returns whether there was one.
    bool poll(Duration timeout, const Handler& handler);

    /// Takes no more sends, and waits until the peer's application has taken everything, or `timeout`. Messages that
    /// have arrived can still be received.
    CloseOutcome close(Duration timeout, std::uint16_t code = 0, std::string_view reason = {});
    /// The same without waiting: the outcome follows, at `deadline` at the latest.
    void begin_close(Instant deadline, std::uint16_t code = 0, std::string_view reason = {});
    /// How the connection has ended; nullopt: it has not.
    std::optional<CloseOutcome> outcome() const;
    /// What the peer gave close() as its reason, as it came from the wire; "": nothing, or it has not closed.
    std::string close_reason() const;

    /// Ends a receive() or poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;
    /// For an event loop of another library: see gtudp::Messenger::fd().
    int fd();
    Instant next_deadline() const;
    /// Whether this object may be used: see gtudp::Messenger::usable().
    bool usable() const;

    native::Statistics statistics() const;
    native::Path path() const;
    /// Bytes of messages that the peer has not acknowledged.
    std::uint64_t unacknowledged_bytes() const;
    /// ConnectOptions::application of the peer: UTF-8, not verified.
    std::string peer_application() const;
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
    friend Result<Connection> connect(const Address& server, const ConnectOptions& options);
    struct State;
    explicit Connection(std::unique_ptr<State> state);
    State& used() const;

    std::unique_ptr<State> state_;
};

/// The connections that clients make to one socket. A server that starts again with the same keys and the same address
/// knows nothing of its connections, and ends them within a round trip of the client's next packet.
///
/// Not thread-safe, like Connection. A ConnectionNumber that names no connection is not an error: sends to it are
/// refused as closed.
class RINGPOST_API Server {
  public:
    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    /// Closes all connections at once: see close_all().
    ~Server();

    /// The next event; its messages are valid until the next call. nullopt: none within `timeout`, or wake().
    std::optional<ConnectionEvent> next(Duration timeout);
    using Handler = Connection::Handler;
    /// See Connection::poll().
    bool poll(Duration timeout, const Handler& handler);

    // See Connection.
    SendResult send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message);
    std::size_t send_many(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> messages,
                          std::size_t message_bytes);
    native::Reserved reserve(ConnectionNumber connection, std::uint32_t channel, std::size_t message_bytes,
                             std::size_t count);
    void commit(ConnectionNumber connection, std::uint32_t channel, std::size_t count);
    /// Begins to close a connection; its event `closed` has the outcome, at `deadline` at the latest. A deadline in the
    /// past ends it at once: its peer does not learn that what was taken here was delivered.
    void close(ConnectionNumber connection, Instant deadline, std::uint16_t code = 0, std::string_view reason = {});
    /// Closes all, and waits until each has ended, or `timeout`. Their events can still be taken.
    void close_all(Duration timeout);

    /// Reads another list of clients: see Keys::allow(). For handshakes from now on; nothing changes after an error.
    Result<void> allow(const std::string& file);
    /// Accepts clients with Keys::session() of this id and token: any number of them, until the session is removed.
    /// Errors: EINVAL of a wrong id or token, EEXIST, ENOSPC beyond ListenOptions::sessions_max.
    Result<void> add_session(std::string_view id, std::span<const std::byte> token);
    /// For handshakes from now on; connections stay. False: there is none with this id.
    bool remove_session(std::string_view id);

    Address peer(ConnectionNumber connection) const;
    /// The id of the client's session, or its name in the list of those that may connect; "" if it has neither.
    std::string peer_name(ConnectionNumber connection) const;
    /// See Connection; "" if the number names no connection.
    std::string peer_application(ConnectionNumber connection) const;
    /// Null values if the number names no connection.
    native::Statistics statistics(ConnectionNumber connection) const;
    native::Path path(ConnectionNumber connection) const;
    std::uint32_t connections() const;
    /// Of all connections since the start.
    native::Statistics statistics() const;
    /// Datagrams that no connection has counted, and handshakes.
    native::EndpointCounters counters() const;
    native::ResponderCounters handshake_counters() const;
    EngineCounters engine_counters() const;

    // See Connection.
    void wake() const;
    int fd();
    Instant next_deadline() const;
    bool usable() const;
    const Address& local() const;
    const char* backend() const;
    const std::string& note() const;
    std::size_t memory_bytes() const;

  private:
    friend Result<Server> listen(const Address& bind, const ListenOptions& options);
    struct State;
    explicit Server(std::unique_ptr<State> state);
    State& used() const;

    std::unique_ptr<State> state_;
};

}  // namespace ringpost
