#pragma once

#include <algorithm>
#include <cstdint>

#include <ringpost/congestion.hpp>
#include <ringpost/time.hpp>
#include "codec/recovery/samples.hpp"

namespace ringpost::recovery {

/// See FixedRate.
class Fixed {
  public:
    using Settings = FixedRate;

    /// `datagram_bytes`: two datagrams may always be in flight, whatever the breaker does.
    Fixed(const Settings& settings, std::uint64_t datagram_bytes) : settings_(settings), floor_(2 * datagram_bytes) {}

    void on_ack(Instant now, std::uint64_t packets) { count(now, packets, 0); }
    void on_lost(Instant now, std::uint64_t packets) { count(now, 0, packets); }
    void on_late(Instant, std::uint64_t packets) {
        lost_ -= lost_ < packets ? lost_ : packets;
        acked_ += packets;
    }

    std::uint64_t window() const { return std::max(settings_.window >> shift_, floor_); }
    /// Bytes per second; 0: not paced.
    double pacing_rate() const { return settings_.rate / static_cast<double>(std::uint64_t{1} << shift_); }
    /// How often the breaker has halved the rate so far.
    std::uint64_t trips() const { return trips_; }

  private:
    void count(Instant now, std::uint64_t acked, std::uint64_t lost);
    void end_interval();

    Settings settings_;
    std::uint64_t floor_;
    Instant interval_began_at_ = -1;
    std::uint64_t acked_ = 0, lost_ = 0, trips_ = 0;
    int bad_ = 0, good_ = 0;  ///< intervals in a row
    int shift_ = 0;
};

}  // namespace ringpost::recovery
