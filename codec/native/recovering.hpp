#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <ringpost/native/statistics.hpp>
#include "codec/base/zeroed_array.hpp"
#include "codec/native/frame.hpp"
#include "codec/native/options.hpp"
#include "codec/native/reference.hpp"
#include "codec/recovery/congestion.hpp"
#include "codec/recovery/loss.hpp"
#include "codec/recovery/pacer.hpp"

namespace ringpost::native {

/// When and how much a connection may send, and what became of what it sent: loss detection, congestion control and
/// pacing, and the references of each packet.
class Recovering {
  public:
    explicit Recovering(const ConnectionOptions& options);

    recovery::LossDetector& loss() { return loss_; }
    const recovery::LossDetector& loss() const { return loss_; }
    const recovery::Congestion& congestion() const { return congestion_; }
    const recovery::Pacer& pacer() const { return pacer_; }

    /// Whether there are records for another packet, and for a number that is skipped before it. Data leaves some of
    /// them to acknowledgements, probes and limits.
    bool has_records() const { return has_records(2); }
    bool has_records_for_data() const { return has_records(references_.size() / 16); }
    /// Frees records for a probe or an acknowledgement.
    template <class Owner>
    void make_records(Owner& owner) {
        while (!has_records()) loss_.forget_oldest(owner);
    }
    /// Frees the records of numbers that were skipped, when nothing will be acknowledged any more that would.
    template <class Owner>
    void drop_idle_records(Owner& owner) {
        while (!loss_.waiting() && !has_records_for_data()) loss_.forget_oldest(owner);
    }
    /// Bytes of data that may leave now, packet by packet as long as it is not 0. Remembers what it waits for.
    std::uint64_t allowance(Instant now);
    /// Packets that may leave regardless of that.
    std::uint32_t probes() const { return probes_; }
    void take_probe() { --probes_; }
    /// When the pacer allows more; `never` if it does not hold anything up.
    Instant paced_until() const { return paced_until_; }

    /// Records a packet with the number loss().ring().next().
    void on_sent(const recovery::SentPacket& packet, std::span<const Reference> references);

    /// Whether a packet sent now leaves the window largely unused.
    bool leaves_window_unused() const {
        const std::uint64_t window = congestion_.window();
        return loss_.in_flight() < (congestion_.in_slow_start() ? window / 2 : window - std::min(window, quantum()));
    }

    /// Calls use(Reference) for each reference of a packet that is still kept.
    template <class Use>
    void for_each_reference(const recovery::SentPacket& packet, Use&& use) const {
        if (next_reference_ - packet.reference > mask_) return;
        for (std::uint32_t i = 0; i < packet.references; ++i) use(references_[(packet.reference + i) & mask_]);
    }

    template <class Owner>
    recovery::AckError on_ack(Instant now, const AckFrame& frame, Owner& owner, Statistics& counts) {
        recovery::PacketRange ranges[limits::native_ranges_sent_max];
        const std::uint64_t largest = full_number(loss_.ring().next(), frame.largest);
        const std::size_t count = ranges_of(frame, largest, ranges);
        if (count == 0) return recovery::AckError::unsent;
        recovery::AckOutcome outcome;
        const auto error = loss_.on_ack(now, std::span(ranges, count), frame.delay, owner, outcome);
        apply(now, outcome, counts);
        return error;
    }

    /// A timer of loss detection is due, if it is. Returns whether the peer should be probed now.
    template <class Owner>
    bool on_timer(Instant now, Owner& owner, Statistics& counts) {
        const auto due = loss_.due();
        if (due.timer == recovery::LossTimer::none || due.at > now) return false;
        if (due.timer == recovery::LossTimer::loss) {
            recovery::AckOutcome outcome;
            loss_.on_loss_timer(now, owner, outcome);
            apply(now, outcome, counts);
            return false;
        }
        loss_.on_probe_timer(now);
        probes_ = recovery::limits::probes;
        ++counts.probe_timeouts;
        return true;
    }

    /// What the peer should be asked for, if that has changed: acknowledgements as often as the window needs them.
    bool wants_ack_rate() const;
    AckRateFrame take_ack_rate();
    /// The peer has the newest request, or it was lost.
    void on_ack_rate_acked();
    void on_ack_rate_lost() { asked_packets_ = 0; }

  private:
    bool has_records(std::uint64_t packets) const;
    void apply(Instant now, const recovery::AckOutcome& outcome, Statistics& counts);
    void end_round(std::uint64_t acked);
    std::uint64_t quantum() const { return std::uint64_t{recovery::limits::burst_packets_min} * datagram_bytes_; }
    std::uint32_t ack_packets() const;
    Duration ack_delay() const;

    std::uint32_t datagram_bytes_;
    recovery::LossDetector loss_;
    recovery::Congestion congestion_;
    recovery::Pacer pacer_;
    ZeroedArray<Reference> references_;
    std::uint32_t mask_, next_reference_ = 0;
    std::uint32_t probes_ = 0;
    Instant paced_until_ = never;
    std::uint64_t round_ends_at_ = 0;
    bool lost_in_round_ = false;

    std::uint32_t asked_packets_ = limits::native_ack_packets_min;
    std::uint32_t asked_reordering_ = recovery::limits::packet_threshold;
    Duration asked_delay_ = 0;
    std::uint8_t ask_sequence_ = 0;
};

}  // namespace ringpost::native
