// A packet that leaves is filled by the parts of the connection in a fixed order:
//
//     1. CLOSE or CLOSED, in a packet of their own
//     2. the acknowledgement that is due
//     3. limits and requests
//     4. what a probe timeout sends again
//     5. messages, as far as congestion control and pacing allow
//     6. a ping, if one is due and nothing else wants an answer
//
// Only messages need the windows' permission. A packet in which nothing but an acknowledgement elicits none and is not
// in flight.
//
// Trains: the first packet may use a whole datagram and sets the size. A later one that falls short by up to 63 bytes
// is padded; one that falls short by more is the last.

#include <algorithm>
#include <array>

#include "codec/native/connection.hpp"

namespace ringpost::native {
namespace {

/// Most padding that makes a packet as long as those before it.
constexpr std::size_t padding_bytes_max = 63;

}  // namespace

/// A packet that is being built.
struct Connection::Packet {
    FrameWriter frames;
    PacketReferences references;
    bool eliciting = false;
    bool has_ack = false;
    bool probe = false;
};

std::optional<Train> Connection::poll_transmit(Instant now, std::span<std::byte> out) {
    note_time(now);
    trace_end();
    if (ended()) return std::nullopt;
    if (closing_.due() != Closing::Frame::none) {
        const std::size_t bytes = build_end(now, out.first(options_.datagram_bytes));
        return Train{bytes, bytes};
    }
    if (!closing_.exchanges()) return std::nullopt;
    keys_.update_if_due(now);
    recovering_.drop_idle_records(*this);
    std::uint64_t allowance = recovering_.allowance(now);
    Train train;
    for (std::uint32_t segments = 0; segments < options_.train_segments; ++segments) {
        const std::size_t size_max = segments == 0 ? options_.datagram_bytes : train.segment_bytes;
        if (train.bytes + size_max > std::min(out.size(), limits::datagram_bytes_max)) break;
        const std::size_t bytes = build_packet(now, out.subspan(train.bytes, size_max), segments > 0, allowance);
        if (bytes == 0) break;
        if (segments == 0) train.segment_bytes = bytes;
        train.bytes += bytes;
        allowance -= std::min<std::uint64_t>(allowance, bytes);
        if (bytes < train.segment_bytes) break;
    }
    if (train.bytes == 0) return std::nullopt;
    return train;
}

std::size_t Connection::build_packet(Instant now, std::span<std::byte> out, bool follows, std::uint64_t allowance) {
    if (recovering_.probes() > 0 || receiving_.ack_due(now)) recovering_.make_records(*this);
    if (recovering_.loss().ring().next() >= skip_at_ && recovering_.has_records()) skip_number(now);
    Packet packet{FrameWriter(out.subspan(short_header_bytes, out.size() - overhead())), {}};
    fill_packet(now, packet, allowance, follows);
    if (packet.frames.bytes() == 0) return 0;
    return finish_packet(now, packet, out, follows);
}

void Connection::fill_packet(Instant now, Packet& packet, std::uint64_t allowance, bool follows) {
    FrameWriter& frames = packet.frames;
    if (!recovering_.has_records()) return;
    if (receiving_.ack_due(now)) packet.has_ack = receiving_.write_ack(now, frames);
    receiving_.write_windows(frames, packet.references);
    if (recovering_.wants_ack_rate() && frames.room() >= 9 && !packet.references.full()) {
        frames.ack_rate(recovering_.take_ack_rate());
        packet.references.add(Reference::other(Reference::Other::ack_rate));
    }
    packet.probe = recovering_.probes() > 0;
    const bool only_ping = recovering_.probes() == 1 && black_hole_.is_suspected();
    if (packet.probe && !only_ping) fill_probe(packet);
    const std::size_t whole = options_.datagram_bytes - overhead();
    // The first packet has the size of whole messages, which the others then have as well, or are filled up to.
    if (((allowance > 0 && recovering_.has_records_for_data()) || packet.probe) && !only_ping) {
        sending_.pack(frames, whole, follows, packet.references, counts_);
        sending_.end_packet();
    }
    packet.eliciting = packet.references.count > 0;
    const bool ask = ping_due_ || (packet.has_ack && receiving_.acks_are_long() && !recovering_.loss().waiting());
    if ((ask || packet.probe) && !packet.eliciting) packet.eliciting = frames.ping();
    if (packet.eliciting) ping_due_ = false;
    if (packet.has_ack) ++counts_.acks_sent;
}

/// What the oldest outstanding packets carry, again; the second probe goes on where the first one ended.
void Connection::fill_probe(Packet& packet) {
    auto walk = recovering_.loss().ring().walk();
    for (; walk.more() && packet.references.count == 0; walk.keep()) {
        if (walk.number() < probe_from_) continue;
        probe_from_ = walk.number() + 1;
        recovering_.for_each_reference(walk.packet(), [&](Reference reference) {
            if (reference.kind() == Reference::Kind::slice)
                sending_.pack_again(packet.frames, reference, packet.references, counts_);
        });
    }
}

std::size_t Connection::finish_packet(Instant now, Packet& packet, std::span<std::byte> out, bool follows) {
    std::size_t bytes = packet.frames.bytes() + overhead();
    if (follows && bytes < out.size() && out.size() - bytes <= padding_bytes_max) {
        packet.frames.padding(out.size() - bytes);
        bytes = out.size();
    }
    // A Reset is smaller than what it answers, so that a peer that has forgotten the connection could not answer less.
    constexpr std::size_t answerable = reset_bytes_min + 1;
    if (packet.eliciting && bytes < answerable) {
        packet.frames.padding(answerable - bytes);
        bytes = answerable;
    }
    const std::uint64_t number = recovering_.loss().ring().next();
    write_short_header(out.data(), {remote_, static_cast<std::uint32_t>(number), keys_.send_phase(),
                                    static_cast<std::uint8_t>(number * 0x9e37'79b9 >> 27 & 0x1f)});
    keys_.seal(out.first(bytes), short_header_bytes, number);
    ++counts_.packets_sent;
    counts_.bytes_sent += bytes;
    if (traces())
        trace({.kind = TraceEvent::Kind::packet_sent,
               .probe = packet.probe,
               .bytes = static_cast<std::uint32_t>(bytes),
               .number = number});
    recovery::SentPacket sent{.at = now, .bytes = static_cast<std::uint16_t>(bytes)};
    if (packet.has_ack) sent.acknowledges = receiving_.ack_largest() + 1;
    if (packet.eliciting) {
        sent.flags = recovery::sent_eliciting;
        idle_.on_sent_eliciting(now, 3 * recovering_.loss().probe_timeout());
    }
    if (packet.probe) {
        recovering_.take_probe();
        ++counts_.probes_sent;
    }
    if (packet.eliciting && recovering_.leaves_window_unused() && !sending_.has_data())
        sent.flags |= recovery::sent_app_limited;
    recovering_.on_sent(sent, std::span(packet.references.all).first(packet.references.count));
    return bytes;
}

std::size_t Connection::build_end(Instant now, std::span<std::byte> out) {
    Packet packet{FrameWriter(out.subspan(short_header_bytes, out.size() - overhead())), {}};
    const Closing::Frame frame = closing_.due();
    if (frame == Closing::Frame::closed) {
        packet.frames.closed(0, closing_.peer_delivered());
    } else {
        // As many as fit. What was sent on the others has arrived, too: everything is acknowledged.
        std::array<ChannelEnd, limits::native_channels_max> ends;
        const std::size_t most =
            closing_.graceful() ? (packet.frames.room() - close_header_bytes) / channel_end_bytes : 0;
        std::size_t count = 0;
        for (std::uint32_t i = 0; i < sending_.channels() && count < std::min<std::size_t>(most, UINT8_MAX); ++i)
            if (const std::uint64_t sent = sending_.channel(i).numbers(); sent > 0)
                ends[count++] = {static_cast<std::uint8_t>(i), static_cast<std::uint32_t>(sent)};
        const auto all = std::span<const ChannelEnd>(ends).first(count);
        // A long reason gives way to the numbers.
        if (!packet.frames.close(closing_.code(), closing_.graceful(), all, closing_.reason()))
            packet.frames.close(closing_.code(), closing_.graceful(), all, {});
    }
    closing_.on_written(now, frame, recovering_.loss().probe_timeout());
    return finish_packet(now, packet, out, false);
}

void Connection::skip_number(Instant now) {
    recovering_.on_sent({.at = now, .flags = recovery::sent_skipped}, {});
    skip_at_ = recovering_.loss().ring().next() + limits::native_skip_packets_min +
               random_.below(limits::native_skip_packets_max - limits::native_skip_packets_min + 1);
}

}  // namespace ringpost::native
