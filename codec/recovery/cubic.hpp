#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/recovery/hystart.hpp"
#include "codec/recovery/samples.hpp"

namespace ringpost::recovery {

/// CUBIC congestion control: RFC 9438, with HyStart++ (RFC 9406) for slow start. Windows are counted in packets of
/// `packet_bytes`, as in the RFC's formulas.
class Cubic {
  public:
    explicit Cubic(std::uint32_t packet_bytes);

    void on_sent(Instant, std::uint64_t number) { newest_ = number; }
    void on_ack(Instant now, const AckSample& sample, const Rtt& rtt);
    void on_lost(Instant now, const LossSample& sample);
    /// Packets that had been called lost were acknowledged. When that is true of all since the last reduction, the
    /// reduction is undone (RFC 9438, 4.9).
    void on_late(Instant now, std::uint64_t packets);
    /// The path reports congestion without loss: a packet sent at `sent_at` was marked (RFC 3168; at most one reduction
    /// per round trip).
    void on_congestion(Instant now, Instant sent_at) { on_lost(now, {0, 0, sent_at, false}); }

    /// Bytes that may be in flight.
    std::uint64_t window() const;
    /// In packets, with fraction.
    double window_packets() const { return window_; }
    /// Bytes per second; a quarter above what the window needs (RFC 9002, 7.7), and twice that in slow start, whose
    /// window doubles in a round.
    double pacing_rate(const Rtt& rtt) const;
    bool in_slow_start() const { return window_ < threshold_; }
    void set_packet_bytes(std::uint32_t bytes);

  private:
    /// What a reduction changes.
    struct Shape {
        double window_max = 0;    ///< W_max
        double window_prior = 0;  ///< cwnd_prior
        double threshold = 0;     ///< ssthresh
        double window = 0;        ///< cwnd
        double epoch_window = 0;  ///< cwnd_epoch
        double reno_window = 0;   ///< W_est
        double inflection = 0;    ///< K, in seconds
        Instant epoch = never;    ///< t_epoch; never: the next acknowledgement begins it
    };

    void grow_slowly(const AckSample& sample, const Rtt& rtt);
    void avoid(Instant now, double packets, const Rtt& rtt);
    void begin_epoch(Instant now);
    void leave_slow_start();

    double packet_bytes_;
    double window_, threshold_;
    double window_max_ = 0, window_prior_ = 0, epoch_window_ = 0, reno_window_ = 0, inflection_ = 0;
    Instant epoch_ = never;
    Instant reduced_at_ = -1;  ///< packets sent until then were on their way at the last reduction
    Instant acked_at_ = 0;
    std::uint64_t newest_ = 0;
    std::uint64_t lost_since_ = 0;  ///< packets lost since the last reduction that are not known to be merely late
    bool undoable_ = false;
    Shape before_;
    HyStart hystart_;
};

}  // namespace ringpost::recovery
