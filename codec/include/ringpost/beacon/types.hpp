#pragma once

// What a beacon::Beacon (<ringpost/beacon.hpp>) takes and returns: options, events, counters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/limits.hpp>
#include <ringpost/time.hpp>

namespace ringpost::beacon {

inline constexpr std::size_t header_bytes = 18;
inline constexpr std::size_t quote_bytes_max = limits::datagram_bytes_max - header_bytes;
inline constexpr std::string_view default_quote = "\"It always seems impossible until it's done\" - Nelson Mandela";

enum class FrameError : std::uint8_t { too_short, checksum, not_utf8 };

/// A destination of beacons, and the listening address to advertise to it.
struct Target {
    Address destination;
    std::array<std::uint8_t, 4> advertised_ipv4{};
};

/// Options of the protocol.
struct ProtocolOptions {
    std::vector<Target> targets{};  ///< empty: receive only; at most limits::beacon_targets_max
    std::uint16_t advertised_port = 0;
    std::string quote{default_quote};   ///< UTF-8, at most quote_bytes_max
    Duration period = 2 * second;       ///< > 0
    std::uint64_t rounds = UINT64_MAX;  ///< each sends one beacon to every target
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

}  // namespace ringpost::beacon
