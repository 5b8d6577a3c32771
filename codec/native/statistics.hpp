#pragma once

#include <array>
#include <cstdint>

#include <ringpost/counters.hpp>

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
    std::uint64_t blocked_sent = 0;

    std::uint64_t packets_received = 0;  ///< authentic and new
    std::uint64_t bytes_received = 0;
    std::uint64_t acks_received = 0;
    std::uint64_t messages_delivered = 0;  ///< taken by the application
    std::uint64_t messages_kept = 0;       ///< arrived before their turn
    std::uint64_t messages_duplicate = 0;
    std::uint64_t fragments_duplicate = 0;

    std::uint64_t dropped_foreign = 0;    ///< not a short packet
    std::uint64_t dropped_duplicate = 0;  ///< number received before: duplicates and replays
    std::uint64_t dropped_too_old = 0;    ///< number below the window
    std::uint64_t dropped_forged = 0;     ///< the tag does not match
    std::uint64_t dropped_malformed = 0;  ///< authentic, but not frames
    std::uint64_t dropped_no_room = 0;    ///< not acknowledged, as there was no space to keep it
    std::uint64_t dropped_closed = 0;     ///< after the end

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
            {"blocked_sent", &S::blocked_sent},
            {"packets_received", &S::packets_received},
            {"bytes_received", &S::bytes_received},
            {"acks_received", &S::acks_received},
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
        });
    }
};
static_assert(lists_every_counter<Statistics>());

}  // namespace ringpost::native
