#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {

/// Spreads packets over time in quanta: a sender that has used up its allowance sleeps until a whole quantum may leave,
/// so that trains stay long. The quantum is the least of the burst, 1 ms at the rate, and a quarter of the window, and
/// at least 2 packets. Source for the token bucket: RFC 9002, 7.7.
class Pacer {
  public:
    explicit Pacer(std::uint32_t packet_bytes) : packet_bytes_(packet_bytes) {}

    /// `rate`: bytes per second, 0 for none. Called when rate or window may have changed.
    void set_rate(double rate, std::uint64_t window);

    /// Bytes that may leave now; 0 while it waits for a quantum.
    std::uint64_t allowance(Instant now);
    void on_sent(std::uint64_t bytes);
    /// When allowance() is more than 0 again; requires that it was 0.
    Instant next(Instant now) const;

    bool paced() const { return rate_ > 0; }
    std::uint64_t quantum() const { return quantum_; }

    /// A round trip without loss in which the path took whole bursts: they may be longer.
    void on_round_without_loss();
    /// The path cut trains after `packets`.
    void on_trains_cut(std::uint32_t packets);
    std::uint32_t burst_packets() const { return burst_packets_; }

  private:
    std::uint32_t packet_bytes_;
    std::uint32_t burst_packets_ = limits::burst_packets_initial;
    double rate_ = 0;  ///< bytes per ns
    std::uint64_t window_ = 0;
    std::uint64_t quantum_ = 0, credit_max_ = 0;
    double credit_ = 0;  ///< bytes; may be below 0 by one packet
    Instant refilled_at_ = -1;
    bool waiting_ = false;
};

}  // namespace ringpost::recovery
