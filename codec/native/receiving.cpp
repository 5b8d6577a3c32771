// Acknowledgements wait for the second packet that wants one, or for their delay, unless the peer has asked for other
// numbers. They are due at once when a packet opens or fills a gap. As they are written only when the driver has passed
// in all it has, a batch of packets gets one.
//
// Runs that are next in order stay where they are, in the packet, and wait in `direct_` for the application. All others
// are kept by their channel. A channel with kept messages that have become next is marked in `ready_`, and further runs
// of it are kept, too, until the application has taken those.

#include "codec/native/receiving.hpp"

#include <algorithm>

namespace ringpost::native {
namespace {

/// Room for an ACK with as many ranges as are allowed, and for the next.
constexpr std::size_t acks_bytes_max = std::size_t{2} * (8 + std::size_t{6} * limits::native_ranges_sent_max);

}  // namespace

Receiving::Receiving(const ConnectionOptions& options)
    : window_(options.receive_window, options.first_number),
      ack_delay_(options.ack_delay),
      taken_(options.channels),
      credit_(options.connection_window),
      direct_(limits::native_runs_max) {
    RINGPOST_CHECK(message_cost(options.message_bytes_max) <= options.connection_window);
    for (std::uint32_t i = 0; i < options.channels; ++i)
        channels_.push_back(std::make_unique<OrderedIncoming>(options.channel_window, options.message_bytes_max));
}

void Receiving::on_packet(Instant now, std::uint64_t number, bool eliciting, bool at_once) {
    const std::uint64_t expected = window_.next();
    window_.record(number);
    ranges_.add(number);
    lowest_[0] = std::min(lowest_[0], number);
    if (number >= expected) largest_at_ = now;
    if (!eliciting) return;
    ++eliciting_;
    const bool out_of_order = reordering_ == 1
                                  ? number != expected
                                  : reordering_ > 0 && number > expected && number - expected >= reordering_;
    if (at_once || out_of_order || eliciting_ >= ack_packets_)
        ack_now_ = true;
    else if (ack_at_ == never)
        ack_at_ = now + ack_delay_;
}

void Receiving::on_ack_acked(std::uint32_t largest) {
    const std::uint64_t full = full_number(window_.next(), largest);
    // A late packet that has not been reported yet stays.
    if (full < window_.next() && lowest_[0] > 0) ranges_.forget_up_to(std::min(full, lowest_[0] - 1));
}

void Receiving::on_ack_rate(const AckRateFrame& frame) {
    const auto newer = static_cast<std::int8_t>(frame.sequence - rate_sequence_);
    if (rate_known_ && newer <= 0) return;
    rate_known_ = true;
    rate_sequence_ = frame.sequence;
    ack_packets_ = frame.threshold;
    ack_delay_ = frame.delay;
    reordering_ = frame.reordering;
}

bool Receiving::write_ack(Instant now, FrameWriter& out) {
    if (ranges_.empty()) return false;
    constexpr std::size_t most = limits::native_ranges_sent_max;
    recovery::PacketRange all[limits::native_ranges_kept_max];
    // The newest ranges, and where packets came very late, further frames that reach down to them. The oldest frame is
    // the first, so that nothing is taken for lost that a later one reports.
    const std::span<const recovery::PacketRange> ranges(all, ranges_.newest(all));
    const std::uint64_t lowest = *std::ranges::min_element(lowest_);
    std::size_t end = std::min(ranges.size(), most);
    while (end < ranges.size() && ranges[end].last >= lowest) end = std::min(ranges.size(), end + most);
    for (std::size_t begin = (end - 1) / most * most;; begin -= most) {
        const std::size_t count = std::min(most, end - begin);
        const bool has_room = out.room() >= acks_bytes_max || begin == 0;
        if (has_room && out.ack(ranges.subspan(begin, count), now - largest_at_) == 0) return false;
        end = begin;
        if (begin == 0) break;
    }
    std::ranges::rotate(lowest_, lowest_.end() - 1);
    lowest_[0] = UINT64_MAX;
    eliciting_ = 0;
    ack_now_ = false;
    ack_at_ = never;
    return true;
}

Intake Receiving::on_messages(const MessagesFrame& frame, Statistics& counts) {
    OrderedIncoming& channel = *channels_[frame.channel];
    Direct direct{0, 0, frame.run, Arena::none, frame.channel};
    const std::uint32_t kept = channel.kept();
    const bool direct_allowed = !ready_[frame.channel] && !direct_.full();
    const Intake intake =
        channel.on_messages(frame.first, direct.run, direct_allowed, credit_, direct.number, direct.cost);
    if (intake == Intake::direct) {
        direct_.push(direct);
        counts.messages_duplicate += frame.run.count - direct.run.count;
    } else if (intake == Intake::stored) {
        counts.messages_kept += channel.kept() - kept;
        counts.messages_duplicate += frame.run.count - (channel.kept() - kept);
    } else if (intake == Intake::duplicate) {
        counts.messages_duplicate += frame.run.count;
    }
    if (channel.ready()) ready_.set(frame.channel);
    return intake;
}

Intake Receiving::on_fragment(const FragmentFrame& frame, Statistics& counts) {
    OrderedIncoming& channel = *channels_[frame.channel];
    const Intake intake = channel.on_fragment(frame, credit_);
    counts.fragments_duplicate += intake == Intake::duplicate;
    if (channel.ready()) ready_.set(frame.channel);
    return intake;
}

void Receiving::on_blocked(const BlockedFrame& frame) {
    if (frame.channel == whole_connection) {
        credit_.on_blocked();
    } else if (frame.channel < channels_.size()) {
        channels_[frame.channel]->credit().on_blocked();
        if (channels_[frame.channel]->credit().update_due()) windows_.set(frame.channel);
    }
}

void Receiving::release() {
    if (held_ == Arena::none) return;
    channels_[held_channel_]->release(held_, held_count_);
    held_ = Arena::none;
}

void Receiving::take(std::uint8_t channel, std::uint32_t messages, std::uint64_t cost, Statistics& counts) {
    taken_[channel] += messages;
    counts.messages_delivered += messages;
    credit_.consume(cost);
    ReceiveCredit& credit = channels_[channel]->credit();
    credit.consume(cost);
    if (credit.update_due()) windows_.set(channel);
}

std::optional<Event> Receiving::poll(Statistics& counts) {
    release();
    Event event;
    if (!direct_.empty()) {
        const Direct direct = direct_.front();
        direct_.pop();
        event.channel = direct.channel;
        event.number = direct.number;
        event.run = direct.run;
        held_ = direct.block;
        held_count_ = direct.run.count;
        held_channel_ = direct.channel;
        take(direct.channel, direct.run.count, direct.cost, counts);
        return event;
    }
    if (ready_.none()) return std::nullopt;
    // In turn, so that one that always has something does not hold up the others.
    std::size_t found = ready_._Find_next(held_channel_);
    if (found == ready_.size()) found = ready_._Find_first();
    const auto index = static_cast<std::uint8_t>(found);
    OrderedIncoming& channel = *channels_[index];
    const OrderedIncoming::Kept kept = channel.take();
    ready_.set(index, channel.ready());
    event.channel = index;
    event.number = kept.number;
    event.run = kept.run;
    held_ = kept.block;
    held_count_ = kept.run.count;
    held_channel_ = index;
    take(index, kept.run.count, kept.cost, counts);
    return event;
}

bool Receiving::all_taken() const {
    return direct_.empty() && std::ranges::all_of(channels_, [](const auto& each) { return each->kept() == 0; });
}

bool Receiving::retain() {
    for (std::uint32_t i = 0, count = direct_.size(); i < count; ++i) {
        Direct direct = direct_.front();
        direct_.pop();
        if (direct.block == Arena::none) direct.block = channels_[direct.channel]->keep(direct.run);
        if (direct.block == Arena::none) {
            while (!direct_.empty()) direct_.pop();
            ready_.reset();
            return false;
        }
        direct_.push(direct);
    }
    return true;
}

void Receiving::write_windows(FrameWriter& out, PacketReferences& references) {
    if (credit_.update_due() && !references.full() && out.room() >= 2 + integer_bytes_max) {
        out.window(whole_connection, credit_.take_update());
        references.add(Reference::other(Reference::Other::connection_window));
    }
    while (windows_.any() && !references.full() && out.room() >= 2 + integer_bytes_max) {
        const auto index = static_cast<std::uint8_t>(windows_._Find_first());
        windows_.reset(index);
        out.window(index, channels_[index]->credit().take_update());
        references.add(Reference::window(index));
    }
}

void Receiving::on_window_lost(Reference reference) {
    if (reference.kind() == Reference::Kind::window) {
        channels_[reference.channel()]->credit().repeat();
        windows_.set(reference.channel());
    } else if (reference.kind() == Reference::Kind::other && reference.what() == Reference::Other::connection_window) {
        credit_.repeat();
    }
}

}  // namespace ringpost::native
