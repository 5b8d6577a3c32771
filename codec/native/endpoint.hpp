#pragma once

// All native connections of a socket: finds the connection of each packet, makes connections out of handshakes, and
// drives them. The sans-IO face is that of every endpoint, <ringpost/endpoint.hpp>.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/native/statistics.hpp>
#include <ringpost/native/types.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/crypto/keys.hpp"
#include "codec/crypto/random.hpp"
#include "codec/native/connection.hpp"
#include "codec/native/initiator.hpp"
#include "codec/native/limits.hpp"
#include "codec/native/responder.hpp"

namespace ringpost::native {

struct ServerOptions {
    Choices<crypto::Pattern> patterns;
    Choices<crypto::Suite> suites;
    crypto::KeyPair pair;                      ///< of all patterns but NNpsk0
    crypto::SecretKey psk{};                   ///< of NNpsk0 and IKpsk2
    const crypto::AllowList* allow = nullptr;  ///< must outlive the endpoint; null: every client of IK and IKpsk2
    std::optional<crypto::SecretKey> reset_secret{};  ///< see Endpoint; drawn from the seed if absent
    std::uint32_t sessions_max = 0;                   ///< that add_session() may add
    std::uint32_t handshakes_per_second = limits::native_handshakes_per_second_default;
};

struct ClientOptions {
    crypto::Pattern pattern = crypto::Pattern::nk;
    crypto::Suite suite = crypto::Suite::aes256_gcm;
    crypto::NoiseKeys keys;
    std::uint64_t clock_ms = 0;  ///< wall clock; see InitiatorOptions
    Duration timeout = limits::native_handshake_timeout;
};

struct EndpointOptions {
    SocketIndex socket = 0;
    Instant start = 0;
    crypto::Key seed{};      ///< 32 random bytes of the kernel, used for nothing else
    std::uint8_t shard = 0;  ///< of the ids that are issued here; packets for another one's are not answered
    std::uint32_t connections_max = limits::native_connections_default;  ///< a power of two
    ConnectionOptions connection{};                                      ///< of each; its seed is replaced
    std::string_view application{};         ///< a name that the peer sees, at most limits::native_name_bytes_max
    std::optional<ServerOptions> server{};  ///< absent: no connections are accepted
};

struct EndpointEvent {
    enum class Kind : std::uint8_t {
        opened,  ///< a handshake has ended: ours or a client's
        failed,  ///< a connect() has found no server that accepts it: `failure`
        of_connection,
    };
    Kind kind = Kind::of_connection;
    ConnectionNumber connection;
    Initiator::Failure failure = Initiator::Failure::none;
    Event event;  ///< of_connection; a run is valid until the next call
};

/// Why a connect() was refused.
enum class ConnectRefusal : std::uint8_t {
    full,      ///< all connections are in use
    bad_peer,  ///< no address or no port
};

/// Construction allocates, and so do connect() and a handshake that ends; nothing else on the path of a datagram does.
/// One thread, but see Connection::send().
///
/// A server that restarts does not know its connections; it answers their packets with a Reset whose token is derived
/// from `reset_secret`. If that is kept over the restart, clients learn of it within a round trip.
class Endpoint {
  public:
    using Event = EndpointEvent;

    explicit Endpoint(const EndpointOptions& options);
    ~Endpoint();
    Endpoint(Endpoint&&) noexcept;
    Endpoint& operator=(Endpoint&&) = delete;

    std::expected<ConnectionNumber, ConnectRefusal> connect(Instant now, const Address& peer,
                                                            const ClientOptions& options);

    // Of a connection that was opened; see Connection. A number that names none: SendResult::closed, 0, nothing.
    SendResult send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message);
    std::size_t send_many(ConnectionNumber connection, std::uint32_t channel, const std::byte* messages,
                          std::size_t message_bytes, std::size_t count);
    Reserved reserve(ConnectionNumber connection, std::uint32_t channel, std::size_t message_bytes, std::size_t count);
    void commit(ConnectionNumber connection, std::uint32_t channel, std::size_t count);
    /// Another thread has appended messages: see Connection::send().
    void note_appended(ConnectionNumber connection);
    /// One whose handshake has not ended fails.
    void close(Instant now, ConnectionNumber connection, Instant deadline, std::uint16_t code = 0,
               std::span<const std::byte> reason = {});

    /// Closes all, see close().
    void close_all(Instant now, Instant deadline);
    /// Whether the outcome of each connection is known, although its events may not have been taken.
    [[nodiscard]] bool all_closed() const;
    /// Replaces ServerOptions::allow, for handshakes from now on.
    void allow(const crypto::AllowList* list);
    /// Accepts clients with this token, too: see sessions.hpp. For a server.
    std::expected<void, SessionRefusal> add_session(std::string_view id, std::span<const std::byte> token);
    /// For handshakes from now on. False: there is none with this id.
    bool remove_session(std::string_view id);

    /// Null: names none. Valid until the next call, and at least until its event `closed` was polled.
    [[nodiscard]] const Connection* find(ConnectionNumber connection) const;
    [[nodiscard]] Connection* find(ConnectionNumber connection);
    [[nodiscard]] Address peer(ConnectionNumber connection) const;
    /// Of a client: the id of its session, or its name in the list of those that may connect; "": neither. Valid until
    /// the connection has ended or another list is set.
    [[nodiscard]] std::string_view peer_name(ConnectionNumber connection) const;
    /// What the peer calls its application: UTF-8, not verified. Valid until the connection has ended.
    [[nodiscard]] std::string_view peer_application(ConnectionNumber connection) const;

    // Packets are opened where they are; see RetainingEndpoint.
    void handle(Instant now, const Datagram& in) { handle_train(now, in, in.bytes.size()); }
    void retain();
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    /// False: poll_event() would return nothing.
    [[nodiscard]] bool may_have_events() const { return !eventful_.empty(); }
    /// Connections, with those whose handshake is under way.
    [[nodiscard]] std::uint32_t connections() const { return used_; }
    [[nodiscard]] const EndpointCounters& counters() const { return counts_; }
    /// Of all connections since the start.
    [[nodiscard]] Statistics statistics() const;
    /// Of all connect() since the start.
    [[nodiscard]] InitiatorCounters initiator_counters() const;
    /// Null without ServerOptions.
    [[nodiscard]] const ResponderCounters* responder_counters() const;

  private:
    struct Slot;
    struct Answer;
    /// Connections that wait for something, each once.
    class Waiting {
      public:
        explicit Waiting(std::uint32_t capacity) : queue_(capacity) {}
        void push(std::uint32_t index, bool& waits) {
            if (!waits) queue_.push(index);
            waits = true;
        }
        [[nodiscard]] bool empty() const { return queue_.empty(); }
        [[nodiscard]] std::uint32_t front() const { return queue_.front(); }
        void pop(bool& waits) {
            queue_.pop();
            waits = false;
        }

      private:
        RingQueue<std::uint32_t> queue_;
    };

    Slot* take_slot(const Address& peer, const LocalPath& path, const Id& local);
    void free_slot(Slot& slot);
    Slot* slot_of(ConnectionNumber connection) const;
    Slot* slot_of(const LruTable<Id, std::uint32_t>& table, const Id& id) const;
    Id issue_id();
    void establish(Instant now, Slot& slot, Established&& established);
    void touch(Slot& slot);
    void settle(Slot& slot);

    void note_in_train(const Slot& slot);
    void handle_short(Instant now, const Datagram& train, std::span<std::byte> packet);
    void handle_long(Instant now, const Datagram& train, std::span<std::byte> packet);
    void handle_unknown(Instant now, const Datagram& train, std::span<std::byte> packet);
    void handle_reset(Instant now, const Address& source, const ResetPacket& packet);
    void after_handshake(Instant now, Slot& slot);
    void end_handshake(Slot& slot);
    template <class Write>
    bool answer(const Datagram& to, Write&& write);
    std::optional<Transmit> poll_answer(std::span<std::byte> out);
    std::optional<Event> poll_slot(Slot& slot);

    SocketIndex socket_;
    std::uint8_t shard_;
    std::uint32_t connections_max_;
    ConnectionOptions connection_;
    Parameters parameters_;
    std::unique_ptr<crypto::RandomStream> random_;
    crypto::SecretKey reset_secret_{};
    const crypto::AllowList* allow_ = nullptr;  ///< of a server
    std::unique_ptr<Responder> responder_;

    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<std::uint32_t> free_;
    std::uint32_t used_ = 0;
    LruTable<Id, std::uint32_t> by_id_;      ///< by the id in packets to us; never full
    LruTable<Id, std::uint32_t> by_remote_;  ///< by the id in packets to the peer, which a Reset names
    TimerWheel timers_;
    Waiting ready_, eventful_;  ///< may have something to send, and events
    std::unique_ptr<RingQueue<Answer>> answers_;
    std::vector<std::uint32_t> in_trains_;  ///< connections whose events may point into trains
    Slot* last_ = nullptr;                  ///< of the packet before, within a train
    EndpointCounters counts_;
    Statistics ended_;  ///< of connections that are gone
    InitiatorCounters initiated_;
};

}  // namespace ringpost::native
