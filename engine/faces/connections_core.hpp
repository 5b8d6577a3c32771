#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <ringpost/threaded_connection.hpp>
#include "codec/base/record_queue.hpp"
#include "codec/native/endpoint.hpp"
#include "engine/os/clock.hpp"
#include "engine/threaded/bell.hpp"
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/ready.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::native {

/// The ThreadedProtocol of ThreadedConnection and ThreadedServer: an Endpoint, and what passes between its thread and
/// the user threads. See the .cpp for the mechanism.
class ConnectionsCore {
  public:
    using Endpoint = native::Endpoint;
    /// Messages were appended to the connection that has this index.
    struct Command {
        std::uint32_t index;
    };

    ConnectionsCore(const EndpointOptions& options, std::size_t received_bytes_max, UdpSocket bound);

    /// Capacity of the command queue: one for every connection, and as many calls.
    static std::uint32_t commands_max(std::uint32_t connections) { return 2 * connections; }
    /// Memory for received messages.
    static std::size_t inbox_bytes(const ProtocolOptions& options, std::size_t received_bytes_max);

    // ---- any thread -----------------------------------------------------------------------------

    /// Appends messages; `announce` is set if a Command is to be submitted for them.
    SendResult append(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message,
                      bool& announce);
    std::size_t append_many(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> messages,
                            std::size_t message_bytes, bool& announce);
    /// Calls attempt() whenever there may be space for messages, until it returns true, or `deadline`.
    template <class Attempt>
    void wait_for_space(Instant deadline, const Attempt& attempt) {
        space_.wait(deadline, attempt);
    }

    /// The next event; nullopt at the deadline, or when nothing more comes and none is left. A client's end is none.
    std::optional<OwnedEvent> next(Instant deadline);
    /// The inbox was full, and has room now: wake the engine after next().
    bool room_wanted() const { return room_wanted_.load(std::memory_order_acquire); }
    /// Readable while next() may return something.
    int fd() { return ready_.fd(); }
    void abandon(const Command&) {}

    /// A client's: what became of its handshake.
    struct Opening {
        bool over = false;
        int error = 0;  ///< 0: the connection is open
        const char* reason = "";
    };
    /// Waits until it is over, or `deadline`.
    Opening wait_for_opening(Instant deadline);
    std::optional<CloseOutcome> outcome() const;
    /// Why the peer has closed, in its words; known with the outcome.
    std::string close_reason() const;
    /// Waits for the outcome, or the end of the engine.
    std::optional<CloseOutcome> wait_for_outcome();

    /// How long close() may take. Set it before the engine is stopped.
    void set_stop_within(Duration timeout) { stop_within_ = timeout; }

    // ---- the engine's thread --------------------------------------------------------------------

    template <class Backend>
    std::optional<Error> open(Backend& backend) {
        options_.socket = backend.add(std::move(socket_));
        options_.start = now();
        endpoint_.emplace(options_);
        unreachable_ = [&backend] { return backend.counters().unreachable; };
        return std::nullopt;
    }
    Endpoint& endpoint() { return *endpoint_; }
    bool has_room();
    void on_event(Instant now, const EndpointEvent& event);
    void run(Instant now, const Command& command);
    Instant on_turn(Instant now);
    void publish();
    bool may_sleep() const;
    void close(Instant now);
    bool finished() const { return closed_ && endpoint_->all_closed(); }
    void end();

    /// A client's connection.
    void connect(Instant now, const Address& server, const ClientOptions& client);
    /// Appends nothing more to the connection, and closes it.
    void begin_close(Instant now, ConnectionNumber connection, Instant deadline, std::uint16_t code,
                     std::string_view reason);
    ConnectionNumber client() const { return client_; }
    /// Of a client's connection, also after its end.
    Statistics statistics() const;
    Path path() const;
    std::string_view cipher() const { return cipher_; }

  private:
    /// A connection to which user threads append. The mutex is for all but `announced`.
    struct alignas(cache_line_bytes) Appending {
        std::mutex mutex;
        Connection* connection = nullptr;  ///< null: none that takes sends
        ConnectionNumber number{};
        std::atomic<bool> announced{false};  ///< a Command is on its way
    };
    struct Header {
        ConnectionEvent::Kind kind;
        std::uint8_t channel;
        ConnectionNumber connection;
        std::uint64_t number;
        Run run;  ///< without `at`
        CloseOutcome outcome;
    };

    template <class Append>
    auto append_with(ConnectionNumber connection, bool& announce, const Append& append);
    bool has_space_for_event() const { return inbox_.has_room(event_bytes_max_); }
    void push(const ConnectionEvent& event, const Run& run);
    void set_outcome(const CloseOutcome& outcome, std::string_view reason);
    CloseOutcome end_of(const Connection& connection, ConnectionNumber number, CloseOutcome outcome);
    void look_at_client();
    void end_inbox();
    void set_opening(const Opening& opening);

    // Shared between threads.
    std::unique_ptr<Appending[]> appending_;  ///< by ConnectionNumber::index
    Bell space_;                              ///< on_turn() may have freed space for messages
    std::mutex taking_;                       ///< of the consumers; the oldest event is theirs while it is held
    mutable std::mutex mutex_;                ///< for the next five
    RecordQueue<Header> inbox_;
    bool ended_ = false;  ///< nothing more comes into the inbox
    Opening opening_;
    std::optional<CloseOutcome> outcome_;  ///< of a client's connection, and the next
    std::string close_reason_;
    std::atomic<bool> room_wanted_{false};
    Bell arrived_, changed_;  ///< events; opening_, outcome_ or ended_
    Ready ready_;
    std::atomic<Duration> stop_within_{0};

    UdpSocket socket_;  ///< moved to the backend by open()
    EndpointOptions options_;
    std::size_t event_bytes_max_;

    // Engine's thread only.
    std::optional<Endpoint> endpoint_;
    std::function<std::uint64_t()> unreachable_;  ///< counts the kernel's errors for the peer
    std::uint32_t pushed_ = 0;                    ///< since the last publish()
    bool closed_ = false;
    ConnectionNumber client_{};
    bool is_client_ = false, opens_ = false;
    Statistics statistics_{};  ///< of a client's connection that has ended
    Path path_{};
    std::string_view cipher_{};
};

}  // namespace ringpost::native
