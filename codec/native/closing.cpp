// The phases only go forward:
//
//     open -> flushing    close()
//     flushing -> asking  everything is acknowledged: CLOSE, repeated after each probe timeout, up to its limit
//     asking -> draining  CLOSED, which has the outcome
//     flushing, asking -> draining   the deadline: CLOSE that is not graceful, and the outcome is `not delivered`
//     open -> draining    the peer's CLOSE, after the application has taken what came before; or a failure
//     draining -> ended   three probe timeouts later
//
// CLOSE and CLOSED are not subject to windows or loss detection. While draining, each packet that arrives is answered
// by the last word again, so that a peer that missed it does not wait for its timeouts.

#include "codec/native/closing.hpp"

#include <algorithm>

namespace ringpost::native {

bool Closing::begin(Instant deadline, std::uint16_t code, std::span<const std::byte> reason) {
    if (phase_ != Phase::open) return false;
    phase_ = Phase::flushing;
    deadline_ = deadline;
    code_ = code;
    graceful_ = true;
    reason_bytes_ = std::min(reason.size(), reason_.size());
    std::ranges::copy(reason.first(reason_bytes_), reason_.begin());
    return true;
}

void Closing::on_flushed(Instant) {
    if (phase_ != Phase::flushing) return;
    phase_ = Phase::asking;
    close_due_ = true;
    sends_ = 0;
}

void Closing::drain(Instant now, const CloseOutcome& outcome, Duration probe_timeout) {
    if (phase_ >= Phase::draining) return;
    phase_ = Phase::draining;
    outcome_ = outcome;
    closed_event_ = true;
    deadline_ = now + 3 * probe_timeout;
    resend_at_ = never;
}

void Closing::fail(Instant now, CloseCode code, Notify notify, std::uint64_t unconfirmed, Duration probe_timeout) {
    if (phase_ >= Phase::draining) return;
    code_ = static_cast<std::uint16_t>(code);
    graceful_ = false;
    close_due_ = notify == Notify::peer;
    sends_ = 0;
    drain(now, {code, false, false, unconfirmed}, probe_timeout);
    if (notify == Notify::no_one) phase_ = Phase::ended;
}

void Closing::note_reason(const CloseFrame& frame) {
    peer_reason_bytes_ = frame.reason.size();
    std::ranges::transform(frame.reason, peer_reason_.begin(), [](std::byte each) { return static_cast<char>(each); });
}

void Closing::on_close(Instant now, const CloseFrame& frame, std::uint64_t unconfirmed, Duration probe_timeout) {
    if (!frame.graceful) {
        if (phase_ < Phase::draining) {
            note_reason(frame);
            drain(now, {static_cast<CloseCode>(frame.code), true, false, unconfirmed}, probe_timeout);
        }
        // The last word is the peer's.
        close_due_ = closed_due_ = false;
        return;
    }
    if (peer_closes_) {
        if (peer_answered_) closed_due_ = true;
        return;
    }
    peer_closes_ = true;
    closing_event_ = phase_ < Phase::draining;
    peer_code_ = frame.code;
    note_reason(frame);
    for (std::size_t i = 0; i < frame.channels; ++i) peer_ends_[i] = channel_end(frame, i);
    peer_ends_count_ = frame.channels;
}

void Closing::on_peer_delivered(Instant now, std::uint64_t unconfirmed, Duration probe_timeout) {
    if (!awaits_delivery()) return;
    peer_answered_ = peer_delivered_ = closed_due_ = true;
    if (phase_ == Phase::open)
        drain(now, {static_cast<CloseCode>(peer_code_), true, false, unconfirmed}, probe_timeout);
}

void Closing::on_closed(Instant now, const ClosedFrame& frame, Duration probe_timeout) {
    if (phase_ != Phase::asking) return;
    close_due_ = false;
    drain(now, {static_cast<CloseCode>(code_), false, frame.delivered, 0}, probe_timeout);
}

void Closing::on_late_packet() {
    if (phase_ != Phase::draining) return;
    if (peer_answered_)
        closed_due_ = true;
    else if (close_sent_ && !graceful_)
        close_due_ = true;
}

Closing::Frame Closing::due() const {
    if (phase_ == Phase::ended) return Frame::none;
    if (closed_due_) return Frame::closed;
    return close_due_ ? Frame::close : Frame::none;
}

void Closing::on_written(Instant now, Frame frame, Duration probe_timeout) {
    if (frame == Frame::closed) {
        closed_due_ = false;
        return;
    }
    close_due_ = false;
    close_sent_ = true;
    const bool more = phase_ == Phase::asking || ++sends_ < limits::native_close_sends;
    resend_at_ = more ? now + probe_timeout : never;
}

void Closing::expire(Instant now, std::uint64_t unconfirmed, Duration probe_timeout) {
    if (resend_at_ <= now) {
        resend_at_ = never;
        close_due_ = true;
    }
    if (deadline_ > now) return;
    if (phase_ == Phase::draining) {
        phase_ = Phase::ended;
        return;
    }
    if (phase_ != Phase::flushing && phase_ != Phase::asking) return;
    const CloseOutcome outcome{CloseCode::deadline, false, false, unconfirmed};
    code_ = static_cast<std::uint16_t>(CloseCode::deadline);
    graceful_ = false;
    close_due_ = true;
    sends_ = 0;
    drain(now, outcome, probe_timeout);
}

Instant Closing::due_at() const {
    return phase_ == Phase::ended || phase_ == Phase::open ? never : std::min(deadline_, resend_at_);
}

std::optional<Event> Closing::take_event() {
    Event event;
    if (closing_event_) {
        closing_event_ = false;
        event.kind = Event::Kind::closing;
        event.outcome.code = static_cast<CloseCode>(peer_code_);
        event.outcome.by_peer = true;
        event.reason = peer_reason();
        return event;
    }
    if (!closed_event_) return std::nullopt;
    closed_event_ = false;
    event.kind = Event::Kind::closed;
    event.outcome = outcome_;
    event.reason = peer_reason();
    return event;
}

}  // namespace ringpost::native
