#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/check.hpp"
#include "codec/base/chunk_pool.hpp"
#include "codec/base/limits.hpp"
#include "codec/base/lru_table.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/siphash.hpp"
#include "codec/relay/client_table.hpp"
#include "codec/relay/held_queue.hpp"
#include "codec/relay/impairment.hpp"

namespace ringpost::relay {

struct Options {
    SocketIndex listening_socket = 0;  ///< to which clients send
    Address target{};                  ///< cannot be a client; Family::none: unknown
    Impairments to_target{}, to_client{};
    std::uint64_t seed = 0;
    Instant start = 0;  ///< start of the blackhole periods
    SipKey key{};       ///< must be random and secret
    std::size_t held_bytes_max = limits::relay_held_bytes;
    std::uint32_t held_max = limits::relay_held_max;        ///< a power of two
    std::uint32_t clients_max = limits::relay_clients_max;  ///< a power of two
    /// Sources that become clients, beyond twice relay_clients_max at once. A new client costs a socket, and may cost
    /// another one its own; datagrams of known clients do not wait for that. As many again are admitted of the
    /// sources that were refused for that reason and send once more, as honest clients do.
    std::uint32_t new_clients_per_s = 1'000;  ///< > 0
    std::uint32_t deferred_max = 65'536;      ///< strangers that are remembered for that; a power of two
};

/// Of one direction. received + duplicated == forwarded + lost + burst_lost + blackholed + overflow + abandoned +
/// refused + hops_exhausted, and what is still held.
struct Counters {
    std::uint64_t received = 0;
    std::uint64_t forwarded = 0;  ///< passed to the driver; EngineCounters has the kernel's result
    std::uint64_t lost = 0;
    std::uint64_t burst_lost = 0;
    std::uint64_t blackholed = 0;
    std::uint64_t duplicated = 0;  ///< copies made
    std::uint64_t corrupted = 0;   ///< copies
    std::uint64_t reordered = 0;   ///< copies delayed, whether or not another datagram overtook
    /// Dropped: no room in the queue of a limited rate, in memory, or in the event queue for a new client; of a
    /// stranger, beyond Options::new_clients_per_s; or too long for a Transmit (IPv6 carries 20 bytes more than
    /// limits::datagram_bytes_max).
    std::uint64_t overflow = 0;
    std::uint64_t abandoned = 0;  ///< dropped: the client had been evicted or refused
    /// Dropped: forwarding it could start a loop, because its source is the target, the address and port that it came
    /// to, or an echo, chargen or zero port.
    std::uint64_t refused = 0;
    std::uint64_t hops_exhausted = 0;  ///< dropped: the hop limit had reached 1

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"received", &Counters::received},
            {"forwarded", &Counters::forwarded},
            {"lost", &Counters::lost},
            {"burst_lost", &Counters::burst_lost},
            {"blackholed", &Counters::blackholed},
            {"duplicated", &Counters::duplicated},
            {"corrupted", &Counters::corrupted},
            {"reordered", &Counters::reordered},
            {"overflow", &Counters::overflow},
            {"abandoned", &Counters::abandoned},
            {"refused", &Counters::refused},
            {"hops_exhausted", &Counters::hops_exhausted},
        });
    }
};
static_assert(lists_every_counter<Counters>());

struct ClientCounters {
    std::uint64_t clients = 0;    ///< new clients; the next two are parts of it
    std::uint64_t forgotten = 0;  ///< evicted for a new client; counted as a new client when it returns
    std::uint64_t refused = 0;    ///< by the application
    std::uint64_t deferred = 0;   ///< datagrams of strangers beyond new_clients_per_s, a part of Counters::overflow

    static constexpr auto table() {
        return std::to_array<Counter<ClientCounters>>({
            {"clients", &ClientCounters::clients},
            {"forgotten", &ClientCounters::forgotten},
            {"refused", &ClientCounters::refused},
            {"deferred", &ClientCounters::deferred},
        });
    }
};
static_assert(lists_every_counter<ClientCounters>());

/// new_client: open a socket connected to the target and attach() it, or refuse() the client. This must happen before
/// the next poll_transmit(), since due datagrams of all clients wait for it.
/// client_removed: close `socket`.
struct Event {
    enum class Kind : std::uint8_t { new_client, client_removed };
    Kind kind = Kind::new_client;
    ClientId client;
    Address address;         ///< the client's
    SocketIndex socket = 0;  ///< client_removed only
};

/// A stranger whose datagram was dropped because of Options::new_clients_per_s.
struct Deferred {
    bool before = false;
};

/// The endpoint of `ringpost relay`: forwards what clients send to the listening socket to the target, through one
/// socket per client, and replies on that socket back to the client through the listening socket. Both directions pass
/// an Impairment. All clients share the rate-limited link. Consecutive datagrams of equal size of one client form a
/// train. As behind a router, each datagram leaves with its hop limit minus one, where that is known, so that loops
/// end.
class Endpoint {
  public:
    using Event = relay::Event;

    explicit Endpoint(const Options& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    /// Assigns `socket`, which is connected to the target, to the client. Returns false if the client has been removed
    /// meanwhile; the socket should then be closed.
    bool attach(ClientId id, SocketIndex socket);
    /// No socket is available: removes the client and drops its datagrams. Its next datagram makes it a new client.
    void refuse(ClientId id);

    const Counters& counts(Direction direction) const { return paths_[static_cast<std::size_t>(direction)].counts; }
    const ClientCounters& clients() const { return client_counts_; }
    std::size_t held() const { return held_.size(); }

  private:
    struct Path {
        Impairment impairment;
        Counters counts;
    };

    /// A limited rate: the generic cell rate algorithm (ITU-T I.371).
    class Admissions {
      public:
        Admissions(std::uint32_t per_s, Instant start) : every_(second / per_s), until_(start) {
            RINGPOST_CHECK(per_s > 0);
        }
        bool take(Instant now);

      private:
        Duration every_;
        Instant until_;  ///< when all so far would have been admitted at this rate
    };

    Path& path(Direction direction) { return paths_[static_cast<std::size_t>(direction)]; }
    bool is_refused(Direction direction, const Datagram& in) const;
    std::optional<ClientId> client_of(Instant now, const Datagram& in);
    std::optional<ClientId> admit(Instant now, const Address& address);
    bool may_admit(Instant now, const Address& address);
    void remove(ClientId id);
    void hold(Direction direction, ClientId client, const Copy& copy, const Datagram& in);
    std::span<const std::byte> flipped(const Copy& copy, std::span<const std::byte> bytes);
    void pop_abandoned();
    bool waits_for_socket(const Held& held) const;
    std::size_t take_front(std::span<std::byte> out);

    SocketIndex listening_socket_;
    Address target_;
    std::array<Path, 2> paths_;
    ClientTable clients_;
    Admissions strangers_, returning_;
    LruTable<Address, Deferred> deferred_;  ///< strangers whose last datagram was dropped
    std::vector<ClientId> by_socket_;       ///< the current or former client of each socket; grows in attach()
    RingQueue<Event> events_;
    ChunkPool pool_;
    HeldQueue held_;
    std::vector<std::byte> scratch_;  ///< where bits are flipped
    ClientCounters client_counts_;
};

}  // namespace ringpost::relay
