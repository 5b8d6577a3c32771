// What one acknowledgement decided goes to congestion control, and from there to the pacer. Probes leave regardless of
// both, and count as in flight like everything else.
//
// The peer is asked to acknowledge every eighth of a window, within limits, and within a quarter of the round trip. A
// request is repeated when the need has changed by a factor of two. Where packets overtake each other, gaps do not
// need acknowledgements at once.

#include "codec/native/recovering.hpp"

namespace ringpost::native {
namespace {

recovery::Congestion congestion_for(const ConnectionOptions& options) {
    if (options.congestion == CongestionControl::fixed) {
        FixedRate settings = options.fixed;
        if (settings.window == 0)
            settings.window = std::uint64_t{options.packets_in_flight_max} * options.datagram_bytes;
        return recovery::Congestion(recovery::Fixed(settings, options.datagram_bytes));
    }
    return recovery::Congestion(recovery::Cubic(options.datagram_bytes));
}

}  // namespace

Recovering::Recovering(const ConnectionOptions& options)
    : datagram_bytes_(options.datagram_bytes),
      loss_(options.packets_in_flight_max, options.first_number),
      congestion_(congestion_for(options)),
      pacer_(options.datagram_bytes),
      references_(std::size_t{2} *
                  std::max(options.packets_in_flight_max, recovery::limits::references_per_packet_max)),
      mask_(static_cast<std::uint32_t>(references_.size() - 1)) {
    pacer_.set_rate(congestion_.pacing_rate(loss_.rtt()), congestion_.window());
}

bool Recovering::has_records(std::uint64_t packets) const {
    const recovery::SentRing& ring = loss_.ring();
    if (!ring.outstanding()) return true;
    if (ring.next() + packets - ring.oldest() > references_.size() / 2) return false;
    return next_reference_ - ring[ring.oldest()].reference + packets <=
           mask_ - recovery::limits::references_per_packet_max;
}

std::uint64_t Recovering::allowance(Instant now) {
    const std::uint64_t window = congestion_.window(), in_flight = loss_.in_flight();
    paced_until_ = never;
    if (in_flight + datagram_bytes_ > window || !has_records_for_data()) return 0;
    const std::uint64_t paced = pacer_.allowance(now);
    if (paced == 0) paced_until_ = pacer_.next(now);
    // While something of this is left, a whole packet fits into the window.
    return std::min(window - in_flight - datagram_bytes_ + 1, paced);
}

void Recovering::on_sent(const recovery::SentPacket& packet, std::span<const Reference> references) {
    recovery::SentPacket kept = packet;
    kept.reference = next_reference_;
    kept.references = static_cast<std::uint8_t>(references.size());
    for (const Reference& reference : references) references_[next_reference_++ & mask_] = reference;
    congestion_.on_sent(packet.at, loss_.ring().next());
    loss_.on_sent(kept);
    if ((packet.flags & recovery::sent_eliciting) != 0) pacer_.on_sent(packet.bytes);
}

void Recovering::apply(Instant now, const recovery::AckOutcome& outcome, Statistics& counts) {
    counts.packets_acked += outcome.acked_packets;
    counts.packets_lost += outcome.lost_packets;
    counts.packets_spurious += outcome.late_packets;
    if (outcome.late_packets > 0) congestion_.on_late(now, outcome.late_packets);
    if (outcome.acked_packets > 0) {
        probes_ = 0;
        congestion_.on_ack(now,
                           {outcome.acked_bytes, outcome.in_flight_before, outcome.acked_sent_at, outcome.acked_largest,
                            outcome.rtt_sampled, outcome.app_limited},
                           outcome.acked_packets, loss_.rtt());
        if (outcome.acked_largest >= round_ends_at_) end_round(outcome.acked_largest);
    }
    if (outcome.lost_packets > 0) {
        counts.persistent_congestion += outcome.persistent;
        lost_in_round_ = true;
        congestion_.on_lost(now, {outcome.lost_bytes, outcome.lost_packets, outcome.lost_sent_at, outcome.persistent});
    }
    counts.breaker_trips = congestion_.trips();
    pacer_.set_rate(congestion_.pacing_rate(loss_.rtt()), congestion_.window());
}

void Recovering::end_round(std::uint64_t) {
    if (!lost_in_round_) pacer_.on_round_without_loss();
    lost_in_round_ = false;
    round_ends_at_ = loss_.ring().next();
}

std::uint32_t Recovering::ack_packets() const {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
        congestion_.window() / datagram_bytes_ / 8, limits::native_ack_packets_min, limits::native_ack_packets_max));
}

Duration Recovering::ack_delay() const { return std::clamp(loss_.rtt().smoothed() / 4, millisecond, 25 * millisecond); }

bool Recovering::wants_ack_rate() const {
    if (!loss_.rtt().known()) return false;
    const std::uint32_t packets = ack_packets(), reordering = loss_.packet_threshold();
    return packets >= 2 * asked_packets_ || 2 * packets <= asked_packets_ || reordering >= 2 * asked_reordering_ ||
           2 * reordering <= asked_reordering_;
}

AckRateFrame Recovering::take_ack_rate() {
    asked_packets_ = ack_packets();
    asked_delay_ = ack_delay();
    asked_reordering_ = loss_.packet_threshold();
    // Where packets overtake each other anyway, a gap is not worth an acknowledgement.
    const bool usual = asked_reordering_ < 2 * recovery::limits::packet_threshold;
    return {++ask_sequence_, static_cast<std::uint16_t>(asked_packets_), asked_delay_,
            static_cast<std::uint16_t>(usual ? 1 : asked_reordering_)};
}

void Recovering::on_ack_rate_acked() { loss_.set_ack_delay_max(asked_delay_); }

}  // namespace ringpost::native
