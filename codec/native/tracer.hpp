#pragma once

// What happens to connections, one event after another: for a log such as qlog. Without a tracer an event costs a
// comparison.

#include <cstdint>

#include <ringpost/native/statistics.hpp>
#include <ringpost/native/types.hpp>
#include <ringpost/time.hpp>

namespace ringpost::native {

struct TraceEvent {
    enum class Kind : std::uint8_t {
        opened,           ///< the handshake has ended
        packet_sent,      ///< `number`, `bytes`, `probe`
        packet_received,  ///< `number`, `bytes`
        packet_dropped,   ///< `bytes`, `why`, and `number` unless it is no packet
        packet_lost,      ///< `number`, `bytes`; it may arrive later
        measured,         ///< `path`: after an acknowledgement
        closed,           ///< `outcome`
    };
    enum class Drop : std::uint8_t { foreign, duplicate, too_old, forged };

    Kind kind = Kind::opened;
    Drop why = Drop::foreign;
    bool probe = false;
    std::uint32_t bytes = 0;
    std::uint64_t connection = 0;  ///< the same number at both ends
    std::uint64_t number = 0;
    Instant at = 0;
    Path path{};
    CloseOutcome outcome{};
};

/// One for each endpoint; called by the thread that drives it.
class Tracer {
  public:
    virtual ~Tracer() = default;
    /// Returns false if it cannot keep the event.
    virtual bool on_event(const TraceEvent& event) = 0;
};

}  // namespace ringpost::native
