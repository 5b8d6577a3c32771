// A packet is lost when one that was sent later is acknowledged, and it is either `threshold` numbers older, or older
// than a round trip by a margin. Each acknowledgement walks the outstanding packets from the oldest to the largest
// acknowledged: each of them is acknowledged, lost, or one of the fewer than `threshold` that wait. Therefore its cost
// is that of the packets whose fate it decides, whatever is in flight.
//
// Both the threshold and the margin follow the path: numbers called lost stay in a ring, and if an acknowledgement
// arrives for one, packets do overtake each other by that much. What was learned decays by a sixteenth per round trip
// without such an event.
//
// The two timers, of which one runs at a time: `loss`, when the oldest waiting packet's margin ends, and `probe`, when
// nothing has been acknowledged for longer than any acknowledgement takes. The latter declares nothing lost: two
// packets are sent, and their acknowledgement decides.

#include "codec/recovery/loss.hpp"

namespace ringpost::recovery {

void LossDetector::sample_rtt(Instant now, std::uint64_t largest, Duration ack_delay, AckOutcome& outcome) {
    if (!ring_.keeps(largest)) return;
    const SentPacket& packet = ring_[largest];
    constexpr std::uint8_t known = sent_acked | sent_lost | sent_skipped;
    if ((packet.flags & known) != 0 || (packet.flags & sent_eliciting) == 0 || packet.at < measured_from_) return;
    rtt_.sample(now - packet.at, std::min(ack_delay, ack_delay_max_));
    outcome.rtt_sampled = true;
}

void LossDetector::decay() {
    decay_at_ = ring_.next();
    if (!late_since_decay_) {
        const std::uint32_t excess = threshold_ - limits::packet_threshold;
        threshold_ -= (excess + 15) / 16;
        late_ -= late_ / 16;
    }
    late_since_decay_ = false;
}

}  // namespace ringpost::recovery
