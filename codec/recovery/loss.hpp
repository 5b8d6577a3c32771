#pragma once

// Loss detection for one path: RFC 9002, section 6, with thresholds that adapt to reordering.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/time.hpp>
#include "codec/base/check.hpp"
#include "codec/recovery/limits.hpp"
#include "codec/recovery/ranges.hpp"
#include "codec/recovery/rtt.hpp"
#include "codec/recovery/sent_ring.hpp"

namespace ringpost::recovery {

/// What one acknowledgement, or one due loss timer, changed.
struct AckOutcome {
    std::uint64_t acked_packets = 0, acked_bytes = 0;  ///< newly, without those that came late
    std::uint64_t lost_packets = 0, lost_bytes = 0;
    std::uint64_t late_packets = 0, late_bytes = 0;  ///< called lost before, and acknowledged now
    std::uint64_t in_flight_before = 0;
    Instant acked_sent_at = 0;        ///< when the newest of the newly acknowledged was sent
    Instant lost_sent_at = 0;         ///< when the newest of the lost was sent
    std::uint64_t acked_largest = 0;  ///< number of the newest of the newly acknowledged
    bool rtt_sampled = false;
    bool app_limited = false;  ///< the newest of the newly acknowledged was sent for want of more
    bool persistent = false;   ///< RFC 9002, 7.6: persistent congestion
};

/// Why an acknowledgement is refused.
enum class AckError : std::uint8_t {
    none,
    unsent,   ///< of a number that was not sent yet
    skipped,  ///< of a number that was skipped
};

/// When a timer is due, and what it is for.
enum class LossTimer : std::uint8_t { none, loss, probe };

/// The state of loss detection. An `Owner` is notified of each packet whose fate is decided:
///
///     void on_packet_acked(std::uint64_t number, const SentPacket&);   // also if it had been called lost before
///     void on_packet_lost(std::uint64_t number, const SentPacket&);
class LossDetector {
  public:
    /// `capacity`: packets whose records are kept, a power of two. Reordering is learned up to a quarter of it.
    explicit LossDetector(std::uint32_t capacity, std::uint64_t first = 0)
        : ring_(capacity, first), threshold_max_(std::min(limits::packet_threshold_max, capacity / 4)) {
        RINGPOST_CHECK(threshold_max_ >= limits::packet_threshold);
    }

    const Rtt& rtt() const { return rtt_; }
    /// A sample from elsewhere, such as a handshake.
    void sample(Duration rtt) { rtt_.sample(rtt, 0); }
    /// This process did not run for some time, until `now`: what was sent before measures no round trip.
    void on_stall(Instant now) { measured_from_ = now; }
    SentRing& ring() { return ring_; }
    const SentRing& ring() const { return ring_; }
    std::uint64_t in_flight() const { return in_flight_; }
    std::uint64_t delivered() const { return delivered_; }
    std::uint32_t packet_threshold() const { return threshold_; }
    std::uint32_t timeouts_in_a_row() const { return timeouts_; }
    bool anything_acked() const { return any_acked_; }
    std::uint64_t largest_acked() const { return largest_acked_; }

    /// The longest that the peer waits before it acknowledges.
    void set_ack_delay_max(Duration delay) { ack_delay_max_ = delay; }
    Duration ack_delay_max() const { return ack_delay_max_; }

    /// Records the packet with the number ring().next().
    void on_sent(const SentPacket& packet) {
        SentPacket& kept = ring_.push(packet);
        kept.delivered = delivered_;
        if ((packet.flags & sent_eliciting) == 0) return;
        in_flight_ += packet.bytes;
        ++eliciting_;
        eliciting_sent_at_ = packet.at;
    }

    /// Whether the newest packets' fate is unknown: the probe timer runs.
    bool waiting() const { return eliciting_ > 0; }

    /// `ranges`: from the newest to the oldest, without overlap; at least one.
    template <class Owner>
    AckError on_ack(Instant now, std::span<const PacketRange> ranges, Duration ack_delay, Owner& owner,
                    AckOutcome& outcome);

    /// When handle_timeout() is due; LossTimer::none without packets in flight.
    struct Due {
        LossTimer timer = LossTimer::none;
        Instant at = never;
    };
    Due due() const {
        if (loss_at_ != never) return {LossTimer::loss, loss_at_};
        if (!waiting()) return {};
        return {LossTimer::probe, eliciting_sent_at_ + probe_timeout()};
    }
    Duration probe_timeout() const {
        const Duration once = rtt_.probe_timeout(ack_delay_max_);
        return std::max(once, std::min(once << std::min(timeouts_, 16u), limits::probe_timeout_max));
    }

    /// Calls packets lost whose time is up.
    template <class Owner>
    void on_loss_timer(Instant now, Owner& owner, AckOutcome& outcome) {
        outcome.in_flight_before = in_flight_;
        scan(now, {}, rtt_.loss_delay(late_), owner, outcome);
    }
    /// The probe timer is due: it is set again, later. limits::probes packets should be sent.
    void on_probe_timer(Instant now) {
        ++timeouts_;
        eliciting_sent_at_ = now;
    }

    /// Makes place for a probe when no record is free: the oldest outstanding packet is called lost, whatever becomes
    /// of it. Congestion control does not learn of it.
    template <class Owner>
    void forget_oldest(Owner& owner) {
        auto walk = ring_.walk();
        const std::uint64_t number = walk.number();
        SentPacket& packet = walk.packet();
        if ((packet.flags & sent_skipped) == 0) {
            packet.flags |= sent_lost;
            leave(packet);
            owner.on_packet_lost(number, packet);
        }
        walk.drop();
    }

  private:
    template <class Owner>
    AckError scan(Instant now, std::span<const PacketRange> ranges, Duration delay, Owner& owner, AckOutcome& outcome);
    template <class Owner>
    void find_late(Instant now, std::span<const PacketRange> ranges, Owner& owner, AckOutcome& outcome);
    void sample_rtt(Instant now, std::uint64_t largest, Duration ack_delay, AckOutcome& outcome);
    void decay();
    void leave(const SentPacket& packet) {
        in_flight_ -= packet.bytes;
        --eliciting_;
    }

    SentRing ring_;
    Rtt rtt_;
    std::uint64_t in_flight_ = 0, eliciting_ = 0, delivered_ = 0;
    Instant eliciting_sent_at_ = 0, loss_at_ = never;
    Instant measured_from_ = 0;  ///< packets sent earlier measure no time
    Duration ack_delay_max_ = 25 * millisecond;
    std::uint32_t timeouts_ = 0;

    bool any_acked_ = false;
    std::uint64_t largest_acked_ = 0;
    Instant acked_sent_at_ = -1;  ///< the latest sending time of any acknowledged packet

    std::uint32_t threshold_max_;
    std::uint32_t threshold_ = limits::packet_threshold;
    Duration late_ = 0;           ///< how much later than a round trip packets have come
    std::uint64_t decay_at_ = 0;  ///< both decay when this number is acknowledged
    bool late_since_decay_ = false;
    std::uint64_t lost_count_ = 0;
    std::array<std::uint64_t, limits::lost_packets_kept> lost_;  ///< numbers called lost, by order, a ring
};

template <class Owner>
AckError LossDetector::on_ack(Instant now, std::span<const PacketRange> ranges, Duration ack_delay, Owner& owner,
                              AckOutcome& outcome) {
    const std::uint64_t largest = ranges.front().last;
    if (largest >= ring_.next()) return AckError::unsent;
    outcome.in_flight_before = in_flight_;
    if (!any_acked_ || largest > largest_acked_) sample_rtt(now, largest, ack_delay, outcome);
    if (!any_acked_ || largest > largest_acked_) largest_acked_ = largest;
    any_acked_ = true;
    // Late ones first: reordering that is seen now already protects the packets that are checked next.
    find_late(now, ranges, owner, outcome);
    const AckError error = scan(now, ranges, rtt_.loss_delay(late_), owner, outcome);
    if (outcome.acked_packets > 0) timeouts_ = 0;
    if (largest_acked_ >= decay_at_) decay();
    return error;
}

template <class Owner>
AckError LossDetector::scan(Instant now, std::span<const PacketRange> ranges, Duration delay, Owner& owner,
                            AckOutcome& outcome) {
    loss_at_ = never;
    if (!any_acked_) return AckError::none;
    const Instant acked_before = acked_sent_at_;
    Instant run_began_at = never;  // of lost packets with nothing acknowledged between them
    std::size_t left = ranges.size();
    for (auto walk = ring_.walk(); walk.more() && walk.number() <= largest_acked_;) {
        const std::uint64_t number = walk.number();
        SentPacket& packet = walk.packet();
        while (left > 0 && ranges[left - 1].last < number) --left;
        if (left > 0 && ranges[left - 1].first <= number) {
            if ((packet.flags & sent_skipped) != 0) return AckError::skipped;
            packet.flags |= sent_acked;
            leave(packet);
            delivered_ += packet.bytes;
            ++outcome.acked_packets;
            outcome.acked_bytes += packet.bytes;
            outcome.acked_sent_at = packet.at;
            outcome.acked_largest = number;
            outcome.app_limited = (packet.flags & sent_app_limited) != 0;
            acked_sent_at_ = std::max(acked_sent_at_, packet.at);
            run_began_at = never;
            owner.on_packet_acked(number, packet);
            walk.drop();
        } else if ((packet.flags & sent_skipped) != 0) {
            if (largest_acked_ - number >= threshold_max_)
                walk.drop();
            else
                walk.keep();
        } else if (largest_acked_ - number >= threshold_ || packet.at + delay <= now) {
            packet.flags |= sent_lost;
            leave(packet);
            ++outcome.lost_packets;
            outcome.lost_bytes += packet.bytes;
            outcome.lost_sent_at = packet.at;
            if (packet.at > acked_before) run_began_at = std::min(run_began_at, packet.at);
            if (rtt_.known() && run_began_at != never &&
                packet.at - run_began_at > rtt_.persistent_duration(ack_delay_max_))
                outcome.persistent = true;
            lost_[lost_count_++ % lost_.size()] = number;
            owner.on_packet_lost(number, packet);
            walk.drop();
        } else {
            loss_at_ = std::min(loss_at_, packet.at + delay);
            walk.keep();
        }
    }
    return AckError::none;
}

template <class Owner>
void LossDetector::find_late(Instant now, std::span<const PacketRange> ranges, Owner& owner, AckOutcome& outcome) {
    const std::uint64_t kept = std::min<std::uint64_t>(lost_count_, lost_.size());
    // The ring is nearly in the order of the numbers; a range that was passed is tried again for one that is not.
    std::size_t at = 0;
    for (std::uint64_t i = 1; i <= kept; ++i) {
        const std::uint64_t number = lost_[(lost_count_ - i) % lost_.size()];
        if (number < ranges.back().first) return;
        while (at > 0 && ranges[at - 1].first <= number) --at;
        while (at + 1 < ranges.size() && ranges[at].first > number) ++at;
        if (number < ranges[at].first || number > ranges[at].last || !ring_.keeps(number)) continue;
        SentPacket& packet = ring_[number];
        if ((packet.flags & sent_acked) != 0) continue;
        packet.flags |= sent_acked;
        delivered_ += packet.bytes;
        ++outcome.late_packets;
        outcome.late_bytes += packet.bytes;
        const std::uint64_t distance = largest_acked_ - number;
        threshold_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(distance + 1, threshold_, threshold_max_));
        if (rtt_.known() && packet.at >= measured_from_)
            late_ = std::clamp<Duration>(now - packet.at - rtt_.smoothed(), late_, std::max(late_, rtt_.smoothed()));
        late_since_decay_ = true;
        owner.on_packet_acked(number, packet);
    }
}

}  // namespace ringpost::recovery
