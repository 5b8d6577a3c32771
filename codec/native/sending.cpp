// A packet is filled from the channels of the best priority that have something, then from those of the next. In one
// priority they take turns: the current channel goes first for `weight` packets. Within a channel what was lost goes
// before what is new.
//
// A limit of the peer that holds something up is reported to it once, with a frame that is repeated only when its
// packet was lost.

#include "codec/native/sending.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::native {

Sending::Sending(const ConnectionOptions& options, const PeerOptions& peer)
    : credit_(peer.connection_window),
      message_bytes_max_(static_cast<std::uint32_t>(
          std::min({std::uint64_t{peer.message_bytes_max}, peer.channel_window - message_overhead,
                    peer.connection_window - message_overhead, std::uint64_t{options.send_log_bytes} - 9}))),
      awaited_(new std::atomic<bool>[std::min(options.channels, peer.channels)]()) {
    std::array<Group, 8> by_priority;
    for (std::uint32_t i = 0; i < std::min(options.channels, peer.channels); ++i) {
        channels_.push_back(
            std::make_unique<Outgoing>(static_cast<std::uint8_t>(i), options.send_log_bytes, peer.channel_window));
        const ChannelOptions own = i < options.channel_options.size() ? options.channel_options[i] : ChannelOptions{};
        RINGPOST_CHECK(own.priority < by_priority.size() && own.weight > 0);
        by_priority[own.priority].channels.push_back(static_cast<std::uint8_t>(i));
        weights_.push_back(own.weight);
    }
    for (Group& group : by_priority) {
        if (group.channels.empty()) continue;
        group.turns_left = weights_[group.channels.front()];
        groups_.push_back(std::move(group));
    }
    if (options.acknowledgements) reported_.resize(channels_.size());
}

bool Sending::has_data() const {
    return std::ranges::any_of(channels_, [](const auto& each) { return each->has_lost() || each->has_new(); });
}

bool Sending::all_acked() const {
    return std::ranges::all_of(channels_, [](const auto& each) { return each->all_acked(); });
}

std::uint64_t Sending::unsent_bytes() const {
    std::uint64_t total = 0;
    for (const auto& channel : channels_) total += channel->log().head() - channel->log().sent();
    return total;
}

std::uint64_t Sending::unacked_bytes() const {
    std::uint64_t total = 0;
    for (const auto& channel : channels_) total += channel->log().head() - channel->log().una();
    return total;
}

std::uint64_t Sending::count_unacked() const {
    std::uint64_t count = 0;
    for (const auto& each : channels_) count += each->count_unacked();
    return count;
}

void Sending::pack(FrameWriter& out, std::size_t whole, bool fill, PacketReferences& references, Statistics& counts) {
    const Outgoing::Room room{whole, fill, &credit_};
    for (Group& group : groups_) {
        const auto size = static_cast<std::uint32_t>(group.channels.size());
        for (std::uint32_t i = 0; i < size; ++i) {
            const std::uint32_t place = group.current + i;
            const std::uint8_t index = group.channels[place < size ? place : place - size];
            const std::uint32_t before = references.count;
            const bool goes_on = pack_channel(*channels_[index], index, out, room, references, counts);
            if (references.count > before && packed_ == nullptr) packed_ = &group;
            if (!goes_on) return;
        }
    }
}

bool Sending::pack_channel(Outgoing& channel, std::uint8_t index, FrameWriter& out, const Outgoing::Room& room,
                           PacketReferences& references, Statistics& counts) {
    using enum Outgoing::Packed;
    std::uint32_t slice = 0;
    while (channel.has_lost()) {
        if (references.full()) return false;
        const std::size_t before = out.bytes();
        if (channel.pack_lost(out, slice) == no_room) return false;
        references.add(Reference::slice(index, slice));
        ++counts.slices_resent;
        counts.bytes_resent += out.bytes() - before;
    }
    while (!references.full()) {
        switch (channel.pack_new(out, room, slice)) {
            case written: references.add(Reference::slice(index, slice)); continue;
            case no_room: return false;
            case no_credit: report_blocked(channel, index, out, references, counts); return true;
            case nothing:
            case no_slices: return true;
        }
    }
    return false;
}

void Sending::report_blocked(Outgoing& channel, std::uint8_t index, FrameWriter& out, PacketReferences& references,
                             Statistics& counts) {
    const bool by_channel = channel.credit().left() <= credit_.left();
    SendCredit& credit = by_channel ? channel.credit() : credit_;
    if (references.full() || !credit.report_blocked()) return;
    if (!out.blocked(by_channel ? index : whole_connection, credit.limit())) {
        credit.forget_report();
        return;
    }
    ++counts.blocked_sent;
    references.add(by_channel ? Reference::blocked(index) : Reference::other(Reference::Other::connection_blocked));
}

bool Sending::pack_again(FrameWriter& out, Reference slice, PacketReferences& references, Statistics& counts) {
    Outgoing& channel = *channels_[slice.channel()];
    const std::uint32_t number = slice.slice_near(channel.begin());
    const std::size_t before = out.bytes();
    if (references.full() || channel.pack_again(out, number) != Outgoing::Packed::written) return false;
    references.add(slice);
    ++counts.slices_resent;
    counts.bytes_resent += out.bytes() - before;
    return true;
}

void Sending::end_packet() {
    if (packed_ == nullptr) return;
    Group& group = *std::exchange(packed_, nullptr);
    if (--group.turns_left > 0) return;
    group.current = group.current + 1 == group.channels.size() ? 0 : group.current + 1;
    group.turns_left = weights_[group.channels[group.current]];
}

void Sending::rewind() {
    for (const auto& channel : channels_) channel->rewind();
}

void Sending::on_acked(Reference reference) {
    if (reference.kind() != Reference::Kind::slice) return;
    Outgoing& channel = *channels_[reference.channel()];
    channel.on_acked(reference.slice_near(channel.begin()));
    freed_ = acked_ = true;
}

void Sending::on_lost(Reference reference) {
    if (reference.kind() == Reference::Kind::slice) {
        Outgoing& channel = *channels_[reference.channel()];
        channel.on_lost(reference.slice_near(channel.begin()));
    } else if (reference.kind() == Reference::Kind::blocked) {
        channels_[reference.channel()]->credit().forget_report();
    } else if (reference.kind() == Reference::Kind::other && reference.what() == Reference::Other::connection_blocked) {
        credit_.forget_report();
    }
}

void Sending::on_window(const WindowFrame& frame) {
    if (frame.channel == whole_connection)
        credit_.raise(frame.limit);
    else if (frame.channel < channels_.size())
        channels_[frame.channel]->credit().raise(frame.limit);
}

int Sending::take_writable() {
    if (!freed_) return -1;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        SendLog& log = channels_[i]->log();
        if (!awaited_[i].load(std::memory_order_relaxed) || log.head() - log.una() > log.capacity() / 2) continue;
        awaited_[i].store(false, std::memory_order_relaxed);
        return static_cast<int>(i);
    }
    freed_ = false;
    return -1;
}

int Sending::take_acknowledged() {
    if (!std::exchange(acked_, false)) return -1;
    for (std::size_t i = 0; i < reported_.size(); ++i) {
        const std::uint64_t acknowledged = channels_[i]->acknowledged();
        if (std::exchange(reported_[i], acknowledged) == acknowledged) continue;
        acked_ = true;
        return static_cast<int>(i);
    }
    return -1;
}

}  // namespace ringpost::native
