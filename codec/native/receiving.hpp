#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <ringpost/native/statistics.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/native/ack_ranges.hpp"
#include "codec/native/channel/ordered.hpp"
#include "codec/native/event.hpp"
#include "codec/native/options.hpp"
#include "codec/native/receive_window.hpp"
#include "codec/native/sending.hpp"

namespace ringpost::native {

/// What arrives: which packets are new, when they are acknowledged, and the messages in them.
class Receiving {
  public:
    explicit Receiving(const ConnectionOptions& options);

    const ReceiveWindow& window() const { return window_; }

    /// A packet that is new, authentic and understood. `eliciting`: it wants an acknowledgement; `at_once`:
    /// immediately.
    void on_packet(Instant now, std::uint64_t number, bool eliciting, bool at_once);
    /// An ACK frame with this largest number, low half, has arrived: what is below is not reported any more.
    void on_ack_acked(std::uint32_t largest);
    void on_ack_rate(const AckRateFrame& frame);

    bool ack_due(Instant now) const { return ack_now_ || ack_at_ <= now; }
    bool ack_wanted() const { return eliciting_ > 0; }
    Instant ack_at() const { return ack_now_ ? 0 : ack_at_; }
    /// Writes the acknowledgement of everything that came lately; returns false without room.
    bool write_ack(Instant now, FrameWriter& out);
    /// Whether acknowledgements have become long, so that the peer should acknowledge them.
    bool acks_are_long() const { return ranges_.size() > 8; }
    std::uint32_t ack_largest() const { return static_cast<std::uint32_t>(ranges_.largest()); }

    Intake on_messages(const MessagesFrame& frame, Statistics& counts);
    Intake on_fragment(const FragmentFrame& frame, Statistics& counts);
    void on_blocked(const BlockedFrame& frame);
    bool has_channel(std::uint8_t channel) const { return channel < channels_.size(); }

    /// The next run of messages. What it returned before is not valid any more.
    std::optional<Event> poll(Statistics& counts);
    bool has_events() const { return !direct_.empty() || ready_.any(); }
    /// The packet's memory goes away: runs that were not polled yet are copied. False: there is no place, which is the
    /// peer's fault; nothing more is delivered then.
    [[nodiscard]] bool retain();

    /// Writes the limits that are due.
    void write_windows(FrameWriter& out, PacketReferences& references);
    bool windows_due() const { return windows_.any() || credit_.update_due(); }
    void on_window_lost(Reference reference);

    /// Messages that the application has taken from the channel.
    std::uint64_t taken(std::uint32_t channel) const { return taken_[channel]; }
    /// Nothing that has arrived waits for the application, or for what is missing before it.
    bool all_taken() const;

  private:
    /// A run that is to be delivered next of its channel.
    struct Direct {
        std::uint64_t number, cost;
        Run run;
        Arena::Block block;  ///< where it was copied to; none: it lies in the packet
        std::uint8_t channel;
    };

    void release();
    void take(std::uint8_t channel, std::uint32_t messages, std::uint64_t cost, Statistics& counts);

    ReceiveWindow window_;
    AckRanges ranges_;
    Instant largest_at_ = 0;  ///< when the largest number arrived
    /// The lowest number that arrived since the last acknowledgement, and before each of those before it. They are
    /// repeated in case that an acknowledgement is lost.
    std::array<std::uint64_t, 3> lowest_ = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    Duration ack_delay_;
    std::uint32_t ack_packets_ = limits::native_ack_packets_min;
    std::uint32_t reordering_ = 1;
    std::uint8_t rate_sequence_ = 0;
    bool rate_known_ = false;
    std::uint32_t eliciting_ = 0;  ///< packets since the last acknowledgement that want one
    bool ack_now_ = false;
    Instant ack_at_ = never;

    std::vector<std::unique_ptr<OrderedIncoming>> channels_;
    std::vector<std::uint64_t> taken_;
    ReceiveCredit credit_;
    RingQueue<Direct> direct_;
    std::bitset<limits::native_channels_max> ready_;    ///< channels with kept messages that are next
    std::bitset<limits::native_channels_max> windows_;  ///< channels whose limit is due
    // What poll() returned last.
    Arena::Block held_ = Arena::none;
    std::uint32_t held_count_ = 0;
    std::uint8_t held_channel_ = 0;
};

}  // namespace ringpost::native
