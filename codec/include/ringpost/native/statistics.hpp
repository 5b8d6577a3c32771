#pragma once

#include <array>
#include <cstdint>

#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>

namespace ringpost::native {

/// What one connection has done since it began. Every packet and every message that is dropped has its counter.
struct Statistics {
    std::uint64_t packets_sent = 0;
    std::uint64_t bytes_sent = 0;  ///< of datagrams
    std::uint64_t acks_sent = 0;
    std::uint64_t slices_resent = 0;
    std::uint64_t bytes_resent = 0;
    std::uint64_t probes_sent = 0;
    std::uint64_t packets_acked = 0;
    std::uint64_t packets_lost = 0;      ///< called lost
    std::uint64_t packets_spurious = 0;  ///< called lost, and acknowledged later
    std::uint64_t probe_timeouts = 0;
    std::uint64_t persistent_congestion = 0;
    std::uint64_t breaker_trips = 0;
    std::uint64_t black_holes = 0;  ///< the path dropped large packets: from then on, packets have 1,200 bytes
    std::uint64_t blocked_sent = 0;
    std::uint64_t key_updates = 0;  ///< by either side

    std::uint64_t packets_received = 0;  ///< authentic and new
    std::uint64_t bytes_received = 0;
    std::uint64_t acks_received = 0;
    std::uint64_t opened_late = 0;         ///< packets with the key before the last update
    std::uint64_t messages_delivered = 0;  ///< taken by the application
    std::uint64_t messages_kept = 0;       ///< arrived before their turn
    std::uint64_t messages_duplicate = 0;
    std::uint64_t fragments_duplicate = 0;

    std::uint64_t dropped_foreign = 0;    ///< not a short packet, or larger than any
    std::uint64_t dropped_duplicate = 0;  ///< number received before: duplicates and replays
    std::uint64_t dropped_too_old = 0;    ///< number below the window
    std::uint64_t dropped_forged = 0;     ///< the tag does not match
    std::uint64_t dropped_malformed = 0;  ///< authentic, but not frames
    std::uint64_t dropped_no_room = 0;    ///< not acknowledged, as there was no space to keep it
    std::uint64_t dropped_closed = 0;     ///< after the end
    std::uint64_t traces_lost = 0;        ///< events that the log could not keep

    static constexpr auto table() {
        using S = Statistics;
        return std::to_array<Counter<S>>({
            {"packets_sent", &S::packets_sent},
            {"bytes_sent", &S::bytes_sent},
            {"acks_sent", &S::acks_sent},
            {"slices_resent", &S::slices_resent},
            {"bytes_resent", &S::bytes_resent},
            {"probes_sent", &S::probes_sent},
            {"packets_acked", &S::packets_acked},
            {"packets_lost", &S::packets_lost},
            {"packets_spurious", &S::packets_spurious},
            {"probe_timeouts", &S::probe_timeouts},
            {"persistent_congestion", &S::persistent_congestion},
            {"breaker_trips", &S::breaker_trips},
            {"black_holes", &S::black_holes},
            {"blocked_sent", &S::blocked_sent},
            {"key_updates", &S::key_updates},
            {"packets_received", &S::packets_received},
            {"bytes_received", &S::bytes_received},
            {"acks_received", &S::acks_received},
            {"opened_late", &S::opened_late},
            {"messages_delivered", &S::messages_delivered},
            {"messages_kept", &S::messages_kept},
            {"messages_duplicate", &S::messages_duplicate},
            {"fragments_duplicate", &S::fragments_duplicate},
            {"dropped_foreign", &S::dropped_foreign},
            {"dropped_duplicate", &S::dropped_duplicate},
            {"dropped_too_old", &S::dropped_too_old},
            {"dropped_forged", &S::dropped_forged},
            {"dropped_malformed", &S::dropped_malformed},
            {"dropped_no_room", &S::dropped_no_room},
            {"dropped_closed", &S::dropped_closed},
            {"traces_lost", &S::traces_lost},
        });
    }
};
static_assert(lists_every_counter<Statistics>());

/// What a connection knows of its path.
struct Path {
    Duration rtt_smoothed = 0,
             rtt_variation = 0;      ///< RFC 9002, section 5; of an assumed round trip until one was measured
    Duration rtt_min = 0;            ///< 0: none was measured
    std::uint64_t window_bytes = 0;  ///< that may be in flight
    std::uint64_t in_flight_bytes = 0;
    double pacing_bytes_per_s = 0;  ///< 0: not paced
    std::uint32_t datagram_bytes = 0;
};

/// Datagrams that no connection has counted, and connections.
struct EndpointCounters {
    std::uint64_t foreign = 0;       ///< of no form of this transport
    std::uint64_t unknown_id = 0;    ///< short packets of no connection and no handshake
    std::uint64_t other_source = 0;  ///< short packets from another address than the connection's
    std::uint64_t over_rate = 0;     ///< short packets of clients that exceed their rate in the list of those allowed
    std::uint64_t early = 0;         ///< short packets before the handshake has ended
    std::uint64_t not_expected = 0;  ///< long packets that answer nothing of ours, and Inits to one that is no server
    std::uint64_t bad_resets = 0;    ///< Resets without the token of a connection
    std::uint64_t resets_sent = 0;   ///< in answer to packets of unknown connections
    std::uint64_t refused_full = 0;  ///< of handshakes, while all connections are in use; not answered
    std::uint64_t answers_dropped = 0;  ///< of handshakes, while too many wait to be sent; the client asks again
    std::uint64_t opened = 0;
    std::uint64_t failed = 0;
    std::uint64_t closed = 0;

    static constexpr auto table() {
        using C = EndpointCounters;
        return std::to_array<Counter<C>>({
            {"foreign", &C::foreign},
            {"unknown_id", &C::unknown_id},
            {"other_source", &C::other_source},
            {"over_rate", &C::over_rate},
            {"early", &C::early},
            {"not_expected", &C::not_expected},
            {"bad_resets", &C::bad_resets},
            {"resets_sent", &C::resets_sent},
            {"refused_full", &C::refused_full},
            {"answers_dropped", &C::answers_dropped},
            {"opened", &C::opened},
            {"failed", &C::failed},
            {"closed", &C::closed},
        });
    }
};
static_assert(lists_every_counter<EndpointCounters>());

/// Handshakes of clients, which count what arrives during them.
struct InitiatorCounters {
    std::uint64_t sent = 0;            ///< Inits
    std::uint64_t malformed = 0;       ///< datagrams that are no long packet of ours
    std::uint64_t foreign = 0;         ///< packets for another id, of another pattern or suite, or of no use here
    std::uint64_t bad_mac = 0;         ///< Cookies and Versions that do not come from the server
    std::uint64_t not_authentic = 0;   ///< Responses that are forged, changed, or of a server with other keys
    std::uint64_t bad_parameters = 0;  ///< authentic Responses whose content cannot be read
    std::uint64_t cookies = 0;         ///< the server wanted a proof of our address
    std::uint64_t versions = 0;        ///< the server does not speak our version

    static constexpr auto table() {
        using C = InitiatorCounters;
        return std::to_array<Counter<C>>({
            {"sent", &C::sent},
            {"malformed", &C::malformed},
            {"foreign", &C::foreign},
            {"bad_mac", &C::bad_mac},
            {"not_authentic", &C::not_authentic},
            {"bad_parameters", &C::bad_parameters},
            {"cookies", &C::cookies},
            {"versions", &C::versions},
        });
    }
};
static_assert(lists_every_counter<InitiatorCounters>());

/// Handshakes at a server. Each datagram counts in one of these.
struct ResponderCounters {
    std::uint64_t malformed = 0;        ///< no long packet, or not one that a server gets
    std::uint64_t unknown_key = 0;      ///< an Init for another server
    std::uint64_t bad_mac = 0;          ///< forged or changed: no answer
    std::uint64_t versions_sent = 0;    ///< an Init of another version
    std::uint64_t refused_pattern = 0;  ///< one that this server does not offer
    std::uint64_t refused_suite = 0;
    std::uint64_t repeated = 0;       ///< an Init that was answered before; the answer was the same
    std::uint64_t cookies_sent = 0;   ///< under load: the client must prove its address
    std::uint64_t bad_cookies = 0;    ///< of these, where it had a cookie that did not hold
    std::uint64_t not_authentic = 0;  ///< the Noise message does not open
    std::uint64_t not_allowed = 0;    ///< a client that is not in the allow list
    std::uint64_t replayed = 0;       ///< an Init that is the client's newest, or whose clock is 10 s behind it
    std::uint64_t bad_parameters = 0;
    std::uint64_t answered = 0;     ///< a Response was sent
    std::uint64_t confirmed = 0;    ///< short packets that have completed a handshake
    std::uint64_t unconfirmed = 0;  ///< short packets with the id of a handshake that they do not complete
    std::uint64_t unknown_id = 0;   ///< short packets that belong to no handshake
    std::uint64_t evicted = 0;      ///< not datagrams: answered handshakes that made space for others

    static constexpr auto table() {
        using C = ResponderCounters;
        return std::to_array<Counter<C>>({
            {"malformed", &C::malformed},
            {"unknown_key", &C::unknown_key},
            {"bad_mac", &C::bad_mac},
            {"versions_sent", &C::versions_sent},
            {"refused_pattern", &C::refused_pattern},
            {"refused_suite", &C::refused_suite},
            {"repeated", &C::repeated},
            {"cookies_sent", &C::cookies_sent},
            {"bad_cookies", &C::bad_cookies},
            {"not_authentic", &C::not_authentic},
            {"not_allowed", &C::not_allowed},
            {"replayed", &C::replayed},
            {"bad_parameters", &C::bad_parameters},
            {"answered", &C::answered},
            {"confirmed", &C::confirmed},
            {"unconfirmed", &C::unconfirmed},
            {"unknown_id", &C::unknown_id},
            {"evicted", &C::evicted},
        });
    }
};
static_assert(lists_every_counter<ResponderCounters>());

}  // namespace ringpost::native
