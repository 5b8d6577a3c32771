#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/record_queue.hpp"
#include "codec/base/siphash.hpp"
#include "codec/beacon/frame.hpp"

namespace ringpost::beacon {

/// A destination of beacons, and the listening address to advertise to it.
struct Target {
    Address destination;
    std::array<std::uint8_t, 4> advertised_ipv4{};
};

struct Options {
    std::vector<Target> targets;  ///< empty: receive only; at most limits::beacon_targets_max
    std::uint16_t advertised_port = 0;
    std::string quote{default_quote};   ///< UTF-8, at most quote_bytes_max
    Duration period = 2 * second;       ///< > 0
    std::uint64_t rounds = UINT64_MAX;  ///< each sends one beacon to every target
    SocketIndex socket = 0;             ///< on which beacons are sent
    Instant start = 0;
    Duration unix_offset = 0;  ///< Unix time in ns is Instant + unix_offset
    SipKey key;                ///< must be random and secret
};

/// A received datagram, valid or not.
struct Event {
    std::optional<FrameError> error;  ///< if set, the datagram is not a beacon, and only `source` and `count` are valid
    Address source;
    std::uint64_t count = 0;  ///< datagrams from this address so far, including this one and invalid ones
    /// Difference of the two wall clocks in whole seconds; the sender's is rounded down. The true time is up to a
    /// second less, plus the difference between the clocks. nullopt if it overflows.
    std::optional<std::int64_t> elapsed_s;
    std::array<std::uint8_t, 4> ipv4{};  ///< address on which the sender listens
    std::uint16_t port = 0;
    std::string_view quote;  ///< valid until the next call of this endpoint
};

struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  ///< datagrams; the next four are parts of it
    std::uint64_t too_short = 0;
    std::uint64_t checksum = 0;
    std::uint64_t not_utf8 = 0;
    std::uint64_t events_dropped = 0;     ///< the application is behind with its events
    std::uint64_t sources_forgotten = 0;  ///< source addresses evicted for new ones

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"sent", &Counters::sent},
            {"received", &Counters::received},
            {"too_short", &Counters::too_short},
            {"checksum", &Counters::checksum},
            {"not_utf8", &Counters::not_utf8},
            {"events_dropped", &Counters::events_dropped},
            {"sources_forgotten", &Counters::sources_forgotten},
        });
    }
};
static_assert(lists_every_counter<Counters>());

/// The endpoint of `ringpost beacon`: sends a quote to every target each period and reports received beacons.
class Endpoint {
  public:
    using Event = beacon::Event;

    explicit Endpoint(const Options& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    /// Updates the offset; call it periodically, because the wall clock may be stepped.
    void set_unix_offset(Duration unix_offset) { options_.unix_offset = unix_offset; }

    /// Whether every round has been sent.
    bool finished() const { return rounds_left_ == 0 && next_target_ == options_.targets.size(); }
    Counters counters() const;

  private:
    using SourceKey = std::array<std::uint8_t, 16>;
    struct Received {
        Address source;
        std::uint64_t count;
        std::int64_t received_unix_s;
    };

    std::int64_t unix_s(Instant now) const { return (now + options_.unix_offset) / second; }
    void count_error(FrameError error);

    Options options_;
    Instant next_round_at_;
    std::uint64_t rounds_left_;
    std::size_t next_target_;  ///< targets from here on have not been sent this round's beacon
    LruTable<SourceKey, std::uint64_t> sources_;
    RecordQueue<Received> received_;
    bool front_returned_ = false;  ///< the front of received_ has been returned; the next poll_event() removes it
    Counters counts_;
};

}  // namespace ringpost::beacon
