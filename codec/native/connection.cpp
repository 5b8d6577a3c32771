// The parts of a connection, each with its own state, and what connects them: packets that arrive are opened, and their
// frames are handed to the parts. A packet counts as received, and is acknowledged, when all of its frames were taken;
// one that finds no space is treated as if it had not come, and is sent again. connection_transmit.cpp has the other
// direction.

#include "codec/native/connection.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::native {

Connection::Connection(Instant now, const ConnectionOptions& options, const PeerOptions& peer, crypto::PacketKey send,
                       crypto::PacketKey receive)
    : options_(options),
      remote_(peer.id),
      traced_as_(peer.traced_as),
      keys_(std::move(send), std::move(receive), now),
      recovering_(options),
      sending_(options, peer),
      receiving_(options),
      idle_(std::min(options.idle_timeout, peer.idle_timeout), options.keep_alive),
      random_(options.seed),
      skip_at_(options.first_number + limits::native_skip_packets_min + random_.below(limits::native_skip_packets_max)),
      now_(now) {
    RINGPOST_CHECK(options.datagram_bytes >= limits::native_datagram_bytes_min &&
                   options.datagram_bytes <= limits::native_datagram_bytes_max);
    // The last number stands for the connection.
    RINGPOST_CHECK(options.channels > 0 && options.channels <= whole_connection && options.train_segments > 0);
    recovering_.loss().set_ack_delay_max(peer.ack_delay);
    if (peer.rtt > 0) recovering_.loss().sample(peer.rtt);
    idle_.start(now);
    if (traces()) trace({.kind = TraceEvent::Kind::opened});
}

SendResult Connection::send(std::uint32_t channel, std::span<const std::byte> message) {
    if (channel >= sending_.channels()) return SendResult::unknown_channel;
    if (message.size() > sending_.message_bytes_max()) return SendResult::too_large;
    if (!accepts_sends_.load(std::memory_order_relaxed)) return SendResult::closed;
    SendLog& log = sending_.channel(channel).log();
    if (log.append(message)) [[likely]]
        return SendResult::queued;
    sending_.await_space(channel);
    // Space may have come between the two.
    return log.append(message) ? SendResult::queued : SendResult::would_block;
}

std::size_t Connection::send_many(std::uint32_t channel, const std::byte* messages, std::size_t message_bytes,
                                  std::size_t count) {
    if (channel >= sending_.channels() || message_bytes > sending_.message_bytes_max() ||
        !accepts_sends_.load(std::memory_order_relaxed))
        return 0;
    const std::size_t done = sending_.channel(channel).log().append_many(messages, message_bytes, count);
    if (done == count) return done;
    sending_.await_space(channel);
    // Space may have come between the two.
    return done +
           sending_.channel(channel).log().append_many(messages + done * message_bytes, message_bytes, count - done);
}

Reserved Connection::reserve(std::uint32_t channel, std::size_t message_bytes, std::size_t count) {
    if (channel >= sending_.channels() || message_bytes > sending_.message_bytes_max() ||
        !accepts_sends_.load(std::memory_order_relaxed))
        return {};
    return sending_.channel(channel).log().reserve(message_bytes, count);
}

void Connection::commit(std::uint32_t channel, std::size_t count) {
    if (channel < sending_.channels()) sending_.channel(channel).log().commit(count);
}

void Connection::close(Instant now, Instant deadline, std::uint16_t code, std::span<const std::byte> reason) {
    now_ = now;
    if (!closing_.begin(deadline, code, reason)) return;
    note_phase();
    if (deadline < now)
        closing_.expire(now, sending_.count_unacked(), recovering_.loss().probe_timeout());
    else if (sending_.all_acked())
        closing_.on_flushed(now);
}

void Connection::fail(Instant now, CloseCode code, Notify notify) {
    closing_.fail(now, code, notify, sending_.count_unacked(), recovering_.loss().probe_timeout());
    note_phase();
}

void Connection::on_packet_acked(std::uint64_t, const recovery::SentPacket& packet) {
    black_hole_.on_acked(packet.bytes, packet.at);
    recovering_.for_each_reference(packet, [&](Reference reference) {
        if (reference.kind() == Reference::Kind::other && reference.what() == Reference::Other::ack_rate)
            recovering_.on_ack_rate_acked();
        else
            sending_.on_acked(reference);
    });
    if (packet.acknowledges > 0) receiving_.on_ack_acked(packet.acknowledges - 1);
}

void Connection::on_packet_lost(std::uint64_t number, const recovery::SentPacket& packet) {
    black_hole_.on_lost(packet.bytes, packet.at);
    if (traces()) trace({.kind = TraceEvent::Kind::packet_lost, .bytes = packet.bytes, .number = number});
    recovering_.for_each_reference(packet, [&](Reference reference) {
        if (reference.kind() == Reference::Kind::other && reference.what() == Reference::Other::ack_rate)
            recovering_.on_ack_rate_lost();
        sending_.on_lost(reference);
        receiving_.on_window_lost(reference);
    });
}

void Connection::after_acks(Instant now) {
    if (black_hole_.is_found() && BlackHole::is_large(options_.datagram_bytes)) use_small_packets();
    if (traces()) trace({.kind = TraceEvent::Kind::measured, .path = path()});
    if (closing_.phase() == Closing::Phase::flushing && sending_.all_acked()) closing_.on_flushed(now);
}

/// From now on, of the size that every path carries.
void Connection::use_small_packets() {
    options_.datagram_bytes = limits::native_datagram_bytes_min;
    sending_.rewind();
    ++counts_.black_holes;
}

void Connection::trace(TraceEvent event) {
    event.at = now_;
    event.connection = traced_as_;
    if (!options_.tracer->on_event(event)) ++counts_.traces_lost;
}

/// Once, when the outcome is known.
void Connection::trace_end() {
    if (!traces() || outcome() == nullptr || end_traced_) return;
    end_traced_ = true;
    trace({.kind = TraceEvent::Kind::closed, .outcome = *outcome()});
}

void Connection::drop(std::uint64_t& counter, TraceEvent::Drop why, std::uint64_t number, std::size_t bytes) {
    ++counter;
    if (traces())
        trace({.kind = TraceEvent::Kind::packet_dropped,
               .why = why,
               .bytes = static_cast<std::uint32_t>(bytes),
               .number = number});
}

/// A call at `now`. If it is late by more than any loop's delay, this process did not run.
void Connection::note_time(Instant now) {
    if (now - now_ > limits::native_stall) {
        const Duration late = now - std::max(now_, std::min(now, poll_timeout()));
        if (late > limits::native_stall) {
            idle_.on_stall(late);
            recovering_.loss().on_stall(now);
        }
    }
    now_ = now;
}

void Connection::handle_timeout(Instant now) {
    note_time(now);
    if (ended()) return;
    // Counting walks the log.
    if (closing_.due_at() <= now) closing_.expire(now, sending_.count_unacked(), recovering_.loss().probe_timeout());
    if (!closing_.exchanges()) return;
    if (recovering_.on_timer(now, *this, counts_)) {
        ping_due_ = true;
        probe_from_ = 0;
        black_hole_.on_probe_timeout();
    }
    switch (idle_.expire(now)) {
        case Idle::Due::nothing: break;
        case Idle::Due::ask: ping_due_ = true; break;
        case Idle::Due::dead: fail(now, CloseCode::idle, Notify::no_one); break;
    }
}

Instant Connection::poll_timeout() const {
    if (ended()) return never;
    Instant at = closing_.due_at();
    if (!closing_.exchanges()) return at;
    at = std::min({at, recovering_.loss().due().at, idle_.due_at(), recovering_.paced_until()});
    return std::min(at, receiving_.ack_at());
}

std::optional<Event> Connection::poll_event() {
    if (auto run = receiving_.poll(counts_)) return run;
    check_delivered(now_);
    Event event;
    if (counts_.breaker_trips > trips_reported_) {
        trips_reported_ = counts_.breaker_trips;
        event.kind = Event::Kind::breaker;
        return event;
    }
    if (const int channel = sending_.take_writable(); channel >= 0) {
        event.kind = Event::Kind::writable;
        event.channel = static_cast<std::uint8_t>(channel);
        return event;
    }
    if (const int channel = sending_.take_acknowledged(); channel >= 0) {
        event.kind = Event::Kind::acknowledged;
        event.channel = static_cast<std::uint8_t>(channel);
        event.number = sending_.channel(event.channel).acknowledged();
        return event;
    }
    trace_end();
    return closing_.take_event();
}

/// The peer closes: it is answered when the application has taken everything.
void Connection::check_delivered(Instant now) {
    if (!closing_.awaits_delivery()) return;
    for (const ChannelEnd& end : closing_.peer_ends())
        if (!receiving_.has_channel(end.channel) ||
            static_cast<std::uint32_t>(receiving_.taken(end.channel)) != end.number)
            return;
    if (!receiving_.all_taken()) return;
    closing_.on_peer_delivered(now, sending_.count_unacked(), recovering_.loss().probe_timeout());
}

Path Connection::path() const {
    const recovery::Rtt& rtt = recovering_.loss().rtt();
    return {.rtt_smoothed = rtt.smoothed(),
            .rtt_variation = rtt.variation(),
            .rtt_min = rtt.min(),
            .window_bytes = window(),
            .in_flight_bytes = in_flight(),
            .pacing_bytes_per_s = recovering_.congestion().pacing_rate(rtt),
            .datagram_bytes = options_.datagram_bytes};
}

// Arriving packets.

void Connection::handle(Instant now, std::span<std::byte> packet) {
    note_time(now);
    if (ended()) {
        ++counts_.dropped_closed;
        return;
    }
    const auto header = parse_short_header(packet);
    if (!header || packet.size() > limits::native_datagram_bytes_max)
        return drop(counts_.dropped_foreign, TraceEvent::Drop::foreign, 0, packet.size());
    const std::uint64_t number = full_number(receiving_.window().next(), header->number);
    const auto answer = receiving_.window().ask(number);
    if (answer == ReceiveWindow::Answer::duplicate)
        return drop(counts_.dropped_duplicate, TraceEvent::Drop::duplicate, number, packet.size());
    if (answer != ReceiveWindow::Answer::fresh)
        return drop(counts_.dropped_too_old, TraceEvent::Drop::too_old, number, packet.size());
    if (!keys_.open(now, packet, short_header_bytes, header->key_phase, number,
                    3 * recovering_.loss().probe_timeout())) {
        drop(counts_.dropped_forged, TraceEvent::Drop::forged, number, packet.size());
        if (keys_.is_exhausted()) fail(now, CloseCode::forgeries);
        return;
    }
    counts_.key_updates = keys_.counters().updates_started + keys_.counters().updates_followed;
    counts_.opened_late = keys_.counters().opened_late;
    const auto plain = packet.subspan(short_header_bytes, packet.size() - short_header_bytes - keys_.tag_bytes());
    idle_.on_received(now);
    bool eliciting = false, at_once = false;
    if (!handle_frames(now, plain, eliciting, at_once)) return;
    ++counts_.packets_received;
    counts_.bytes_received += packet.size();
    if (traces())
        trace({.kind = TraceEvent::Kind::packet_received,
               .bytes = static_cast<std::uint32_t>(packet.size()),
               .number = number});
    receiving_.on_packet(now, number, eliciting, at_once);
}

/// What each frame does. Returns false if the packet must be treated as if it had not come.
struct Connection::FrameHandler {
    Connection& self;
    Instant now;
    bool& eliciting;
    bool& at_once;

    bool intake(Intake result) {
        eliciting = true;
        if (result == Intake::violation) self.fail(now, CloseCode::flow_control);
        if (result == Intake::no_room) ++self.counts_.dropped_no_room;
        return result != Intake::no_room && result != Intake::violation;
    }
    bool known(std::uint8_t channel) {
        if (self.receiving_.has_channel(channel)) return true;
        self.fail(now, CloseCode::unknown_channel);
        return false;
    }
    bool elicits() { return eliciting = true; }

    bool operator()(const MessagesFrame& f) {
        return known(f.channel) && intake(self.receiving_.on_messages(f, self.counts_));
    }
    bool operator()(const FragmentFrame& f) {
        return known(f.channel) && intake(self.receiving_.on_fragment(f, self.counts_));
    }
    bool operator()(const AckFrame& f) {
        ++self.counts_.acks_received;
        if (self.recovering_.on_ack(now, f, self, self.counts_) != recovery::AckError::none) {
            self.fail(now, CloseCode::acknowledgement);
            return false;
        }
        self.after_acks(now);
        return true;
    }
    bool operator()(const PaddingFrame&) { return true; }
    bool operator()(const PingFrame&) { return at_once = eliciting = true; }
    bool operator()(const ImmediateAckFrame&) { return at_once = eliciting = true; }
    bool operator()(const WindowFrame& f) {
        self.sending_.on_window(f);
        return elicits();
    }
    bool operator()(const BlockedFrame& f) {
        self.receiving_.on_blocked(f);
        return elicits();
    }
    bool operator()(const AckRateFrame& f) {
        self.receiving_.on_ack_rate(f);
        return elicits();
    }
    bool operator()(const CloseFrame& f) {
        self.closing_.on_close(now, f, self.sending_.count_unacked(), self.recovering_.loss().probe_timeout());
        self.note_phase();
        self.check_delivered(now);
        return true;
    }
    bool operator()(const ClosedFrame& f) {
        self.closing_.on_closed(now, f, self.recovering_.loss().probe_timeout());
        return true;
    }
    bool operator()(const ReservedFrame&) { return elicits(); }
    // Paths, ids, other kinds of channels: their owners are not part of a single ordered connection.
    bool operator()(const PathChallengeFrame&) { return elicits(); }
    bool operator()(const PathResponseFrame&) { return elicits(); }
    bool operator()(const NewIdFrame&) { return elicits(); }
    bool operator()(const RetireIdFrame&) { return elicits(); }
    bool operator()(const ChannelFrame&) { return elicits(); }
    bool operator()(const SkipFrame&) { return elicits(); }
    bool operator()(const LatestFrame&) { return elicits(); }
};

bool Connection::handle_frames(Instant now, std::span<const std::byte> plain, bool& eliciting, bool& at_once) {
    while (!plain.empty()) {
        const auto frame = take_frame(plain);
        if (!frame) {
            ++counts_.dropped_malformed;
            fail(now, CloseCode::malformed);
            return false;
        }
        if (!closing_.exchanges()) {
            // The last word is not answered by itself.
            const bool asks =
                !std::holds_alternative<ClosedFrame>(*frame) && !std::holds_alternative<PaddingFrame>(*frame);
            if (asks) closing_.on_late_packet();
            if (!std::holds_alternative<CloseFrame>(*frame)) continue;
        }
        if (!std::visit(FrameHandler{*this, now, eliciting, at_once}, *frame)) return false;
    }
    return true;
}

}  // namespace ringpost::native
