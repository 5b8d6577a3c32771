#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/chunk_pool.hpp"
#include "codec/base/limits.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/siphash.hpp"
#include "codec/relay/client_table.hpp"
#include "codec/relay/held_queue.hpp"
#include "codec/relay/impairment.hpp"

namespace ringpost::relay {

struct Options {
    SocketIndex listening_socket = 0;  ///< that clients send to
    Impairments to_target{}, to_client{};
    std::uint64_t seed = 0;
    Instant start = 0;  ///< from which the periods of blackholes count
    SipKey key{};       ///< drawn at random: keeps strangers from choosing colliding addresses
    std::size_t held_bytes_max = limits::relay_held_bytes;
    std::uint32_t held_max = limits::relay_held_max;        ///< a power of two, as is
    std::uint32_t clients_max = limits::relay_clients_max;  ///< this
};

/// Of one direction. received + duplicated == forwarded + lost + burst_lost + blackholed + overflow + abandoned, and
/// what is still held.
struct Counters {
    std::uint64_t received = 0;
    std::uint64_t forwarded = 0;  ///< handed to the driver: what the kernel made of it is the engine's to tell
    std::uint64_t lost = 0;
    std::uint64_t burst_lost = 0;
    std::uint64_t blackholed = 0;
    std::uint64_t duplicated = 0;  ///< copies made
    std::uint64_t corrupted = 0;   ///< copies, as is the next
    std::uint64_t reordered = 0;   ///< held back, whether or not another overtook
    /// No room: in the queue of a limited rate, in memory, in the queue of events for one more client; or longer than a
    /// Transmit can be (IPv6 carries 20 bytes more than limits::datagram_bytes_max).
    std::uint64_t overflow = 0;
    std::uint64_t abandoned = 0;  ///< its client had been forgotten or refused
};

struct ClientCounters {
    std::uint64_t clients = 0;    ///< that came; the next two are parts of it
    std::uint64_t forgotten = 0;  ///< in favour of a new one. One that is heard again counts again
    std::uint64_t refused = 0;    ///< by the application
};

/// new_client: open a socket connected to the target and attach() it, or refuse(). Do so before the next poll_transmit:
/// what is due waits for it, other clients' datagrams too.
/// client_forgotten: close `socket`.
struct Event {
    enum class Kind : std::uint8_t { new_client, client_forgotten };
    Kind kind = Kind::new_client;
    ClientId client;
    Address address;         ///< the client's
    SocketIndex socket = 0;  ///< client_forgotten only
};

/// The endpoint of `ringpost relay`: what clients send to socket 0 goes on to the target by a socket of each client's
/// own, and what comes back there goes to that client from socket 0; both ways through an Impairment. All clients share
/// the link of a limited rate. Equal neighbours of one client leave as a train.
class Endpoint {
  public:
    using Event = relay::Event;

    explicit Endpoint(const Options& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    /// From now on `socket`, connected to the target, is the client's. False when the client has been forgotten in the
    /// meantime: close it.
    bool attach(ClientId id, SocketIndex socket);
    /// There is no socket for the client: it is forgotten, with what it sent. Its next datagram makes it new.
    void refuse(ClientId id);

    const Counters& counts(Direction direction) const { return ways_[static_cast<std::size_t>(direction)].counts; }
    const ClientCounters& clients() const { return client_counts_; }
    std::size_t held() const { return held_.size(); }

  private:
    struct Way {
        Impairment impairment;
        Counters counts;
    };

    Way& way(Direction direction) { return ways_[static_cast<std::size_t>(direction)]; }
    std::optional<ClientId> client_of(const Datagram& in);
    std::optional<ClientId> admit(const Address& address);
    void forget(ClientId id);
    void hold(Direction direction, ClientId client, const Copy& copy, std::span<const std::byte> bytes);
    std::span<const std::byte> flipped(const Copy& copy, std::span<const std::byte> bytes);
    void pop_abandoned();
    bool waits_for_socket(const Held& held) const;
    std::size_t take_front(std::span<std::byte> out);

    SocketIndex listening_socket_;
    std::array<Way, 2> ways_;
    ClientTable clients_;
    std::vector<ClientId> by_socket_;  ///< whose each socket is, or was; grows when one is attached
    RingQueue<Event> events_;
    ChunkPool pool_;
    HeldQueue held_;
    std::vector<std::byte> scratch_;  ///< where bits are flipped
    ClientCounters client_counts_;
};

}  // namespace ringpost::relay
