// Frames that concern only the endpoint (names, pings, answers, goodbyes) are processed on arrival, up to the next
// frame for the application. That one waits for its turn in Events, with the rest of the stream behind it. If the
// application is slow, the unread bytes accumulate until the peer is paused.

#include <utility>

#include "codec/devices/switchboard.hpp"

namespace ringpost::devices {
namespace {

// A ringpost peer pings directly after its name (README.md), so the ping arrives no later than this.
constexpr Duration recognised_within = second;

Cause cause_of(FrameError error) {
    switch (error) {
        case FrameError::not_utf8: return Cause::not_utf8;
        case FrameError::name: return Cause::bad_name;
        case FrameError::tag:
        case FrameError::key:
        case FrameError::text: return Cause::bad_frame;
    }
    return Cause::bad_frame;
}

}  // namespace

void Switchboard::on_bytes(Instant now, StreamIndex stream, std::span<const std::byte> bytes) {
    Connection& from = *connections_[stream];
    if (!from.established || bytes.empty()) return;
    from.head.reset();  // it points into the buffer, which may be reallocated
    from.in.append(bytes);
    from.bytes_at = now;
    if (from.state != Connection::State::awaiting_name) context_.directory.on_activity(now, from.device);
    if (from.in_events) {
        count_unread(from);
        if (from.in.unread_bytes() >= limits::devices_unread_bytes_pause ||
            context_.unread_bytes >= limits::devices_unread_bytes_total)
            set_paused(stream, true);
        if (from.in.unread_bytes() > limits::devices_unread_bytes_max) end(now, stream, Cause::overrun);
        return;
    }
    if (process_frames(stream)) {
        from.in_events = true;
        context_.events.push_frames(stream);
    }
    count_unread(from);
    end_slow_frames();
}

// Ends the connections whose frames began first, until the partial frames of all are within their bound.
void Switchboard::end_slow_frames() {
    while (context_.partial_bytes > limits::devices_partial_bytes_total) {
        StreamIndex slowest = no_stream;
        for (StreamIndex stream = 0; stream < connections_.size(); ++stream) {
            const Connection& each = *connections_[stream];
            if (each.partial_bytes == 0) continue;
            if (slowest == no_stream || each.partial_since < connections_[slowest]->partial_since) slowest = stream;
        }
        Connection& ended = *connections_[slowest];
        fail(slowest, Cause::frame_too_slow);
        count_unread(ended);
    }
}

// Processes frames up to the next one for the application, which becomes `head`. Returns false if there is none.
bool Switchboard::process_frames(StreamIndex stream) {
    Connection& from = *connections_[stream];
    while (from.reads() && !from.head) {
        const auto text = from.in.front();
        const std::size_t bytes = text ? text->size() + terminator.size() : from.in.unread_bytes();
        const bool awaiting_name = from.state == Connection::State::awaiting_name;
        if (bytes > (awaiting_name ? limits::devices_compatible_frame_bytes_max : limits::devices_frame_bytes_max)) {
            fail(stream, Cause::frame_too_long);
            return false;
        }
        if (!text) return false;
        from.partial_since = now_;
        const auto frame = awaiting_name ? decode_name(*text) : decode_frame(*text);
        if (!frame) {
            fail(stream, cause_of(frame.error()));
            return false;
        }
        if (frame->kind == FrameKind::message || frame->kind == FrameKind::question) {
            from.head = *frame;
            from.fresh = false;
        } else {
            on_control_frame(stream, *frame);
        }
    }
    return from.head.has_value();
}

void Switchboard::on_control_frame(StreamIndex stream, const Frame& frame) {
    Connection& from = *connections_[stream];
    switch (frame.kind) {
        case FrameKind::name: {
            const std::string name(frame.text);
            from.in.pop();
            on_name(now_, stream, name);
            return;
        }
        case FrameKind::answer: on_answer(stream, frame); break;
        case FrameKind::ping: on_ping(stream); break;
        case FrameKind::quit: fail(stream, Cause::goodbye); return;
        case FrameKind::message:
        case FrameKind::question: return;  // delivered to the application by peek()
    }
    from.fresh = false;
    from.in.pop();
}

// Discards the rest of the stream.
void Switchboard::fail(StreamIndex stream, Cause cause) {
    connections_[stream]->in = {};
    end(now_, stream, cause);
}

void Switchboard::on_ping(StreamIndex stream) {
    Connection& from = *connections_[stream];
    if (from.state == Connection::State::ended) return;
    if (from.fresh && now_ <= from.opened_at + recognised_within) {
        from.is_ringpost = true;
        activate(stream);
        schedule(stream);
        return;
    }
    ++context_.counts.pings_received;
    const Device& who = context_.directory[from.device];
    announcer_.send_alive(who.address, who.socket);
    announcer_.answer_all(now_);
    if (now_ < rejoin_reported_at_ + second) return;
    rejoin_reported_at_ = now_;
    context_.events.push_change(Event::Kind::rejoin, from.name, who.address);
}

void Switchboard::on_answer(StreamIndex stream, const Frame& frame) {
    Connection& from = *connections_[stream];
    ++context_.counts.answers_received;
    if (const auto asked = from.keys.remove(frame.key))
        settle_question(*asked, Reply::answered, frame.text);
    else
        ++context_.counts.answers_late;
    if (from.on_answered(frame.key)) activate(stream);
}

void Switchboard::settle_question(const Asked& asked, Reply reply, std::string_view text) {
    if (context_.asks.settle(asked, reply, text)) context_.events.push_ask(asked.ask.index);
}

// Delivery to the application.

bool Switchboard::peek(StreamIndex stream, Event& event) {
    Counters& counts = context_.counts;
    for (; process_frames(stream); take(stream)) {
        Connection& from = *connections_[stream];
        event.name = from.name;
        event.text = from.head->text;
        event.address = from.peer;
        if (from.head->kind == FrameKind::message) {
            ++counts.messages_received;
            event.kind = Event::Kind::message;
            return true;
        }
        ++counts.questions_received;
        counts.questions_forgotten += context_.inquiries.expire(now_);
        if (const auto question = context_.inquiries.add(now_, from.peer, {stream, from.serial, from.head->key})) {
            from.has_asked = true;
            event.kind = Event::Kind::question;
            event.question = *question;
            return true;
        }
        ++counts.questions_no_room;
    }
    return false;
}

void Switchboard::take(StreamIndex stream) {
    Connection& from = *connections_[stream];
    from.head.reset();
    from.in.pop();
    count_unread(from);
}

void Switchboard::end_turn(StreamIndex stream) {
    connections_[stream]->in_events = false;
    count_unread(*connections_[stream]);
    set_paused(stream, false);
    release(stream);
    end_slow_frames();
}

// Requests the change from the driver, unless the opposite request is still pending; then both cancel out.
void Switchboard::set_paused(StreamIndex stream, bool back) {
    Connection& from = *connections_[stream];
    if (from.paused == back || from.state == Connection::State::ended) return;
    from.paused = back;
    bool& other = back ? from.wants_resume : from.wants_pause;
    (back ? from.wants_pause : from.wants_resume) = !other;
    other = false;
    activate(stream);
}

// Calls from the application.

Sent Switchboard::push(Instant now, NameIndex device, const Frame& frame) {
    const StreamIndex stream = link(device).connection;
    return stream == no_stream ? Sent::not_connected : push_on(now, stream, frame);
}

Sent Switchboard::push_on(Instant now, StreamIndex stream, const Frame& frame) {
    now_ = now;
    Connection& to = *connections_[stream];
    if (to.state != Connection::State::open) return Sent::not_connected;
    const Sent sent = to.push(frame, context_.options.queue_bytes);
    if (sent == Sent::queued && !to.writing) activate(stream);
    return sent;
}

Sent Switchboard::ask(Instant now, NameIndex device, std::string_view text, const Asked& asked) {
    const StreamIndex stream = link(device).connection;
    if (stream == no_stream) return Sent::not_connected;
    Connection& to = *connections_[stream];
    const auto key = to.keys.take(to.is_ringpost ? Keys::Range::full : Keys::Range::compatible);
    if (!key) return Sent::queue_full;
    const Sent sent = push_on(now, stream, {FrameKind::question, *key, text});
    if (sent != Sent::queued) return sent;
    to.keys.insert(*key, asked);
    context_.asks.set_key(asked, stream, *key);
    return sent;
}

Sent Switchboard::answer(Instant now, const Inquiries::Inquiry& inquiry, std::string_view text) {
    if (connections_[inquiry.stream]->serial != inquiry.serial) return Sent::not_connected;
    return push_on(now, inquiry.stream, {FrameKind::answer, inquiry.key, text});
}

void Switchboard::on_written(Instant now, StreamIndex stream) {
    Connection& to = *connections_[stream];
    if (!to.established) return;
    to.on_written(now, context_.options.compatible_gap);
    if (to.state == Connection::State::closing && to.out.empty()) {
        end(now, stream, Cause::closed);
        return;
    }
    if (to.was_full && to.out.size() <= context_.options.queue_bytes / 2) {
        to.was_full = false;
        context_.events.push_change(Event::Kind::room, to.name, to.peer);
    }
    if (!to.out.empty()) activate(stream);
}

}  // namespace ringpost::devices
