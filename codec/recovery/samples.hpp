#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/recovery/rtt.hpp"

namespace ringpost::recovery {

/// One acknowledgement, as congestion control sees it.
struct AckSample {
    std::uint64_t bytes = 0;      ///< newly acknowledged
    std::uint64_t in_flight = 0;  ///< before it arrived
    Instant sent_at = 0;          ///< when the newest of the newly acknowledged packets was sent
    std::uint64_t number = 0;     ///< of that packet
    bool rtt_sampled = false;     ///< Rtt::latest() is new
    bool app_limited = false;     ///< the sender had nothing more to send at that time
};

/// Packets that were called lost at one moment.
struct LossSample {
    std::uint64_t bytes = 0, packets = 0;
    Instant sent_at = 0;      ///< when the newest of them was sent
    bool persistent = false;  ///< nothing at all came through for several probe timeouts
};

}  // namespace ringpost::recovery
