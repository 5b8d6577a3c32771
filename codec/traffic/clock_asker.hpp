#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/traffic/control.hpp"

namespace ringpost::traffic {

struct ClockAskerOptions {
    SocketIndex socket = 0;    ///< connected to the sink
    std::uint32_t stream = 0;  ///< that the answers must name
    SipKey key = {};           ///< of the cookies; must be random and secret
    Duration wall_offset = 0;  ///< from our clock to the wall clock
    Instant start = 0;
};

/// By how much the wall clock of the sink is ahead of ours: between `low` and `high`.
struct ClockOffset {
    Duration low = 0, high = 0;

    Duration estimate() const { return low + (high - low) / 2; }
    Duration error() const { return (high - low + 1) / 2; }
};

/// The endpoint with which `ringpost load --one-way` compares its wall clock with that of a sink. The sink reads its
/// clock between the request's departure and the answer's arrival, so each answer bounds the difference from both
/// sides, whatever the path's asymmetry. The bounds of all answers are combined.
class ClockAsker {
  public:
    struct Event {};  ///< none; see offset()

    explicit ClockAsker(const ClockAskerOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    bool finished() const { return left_ == 0; }
    /// Null without an answer, or if answers contradict each other, as when a clock was set meanwhile.
    std::optional<ClockOffset> offset() const;

  private:
    void next();

    ClockAskerOptions options_;
    std::uint32_t left_;        ///< requests until the end
    std::uint32_t silent_ = 0;  ///< requests without an answer, in a row
    bool due_ = true;
    std::uint64_t cookie_ = 0, cookies_ = 0;
    Instant sent_at_ = 0, expires_at_;
    std::optional<ClockOffset> bounds_;
};

}  // namespace ringpost::traffic
