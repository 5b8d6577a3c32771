// The Switchboard's interface to its driver. Requests are kept as flags of their connection and collected by poll(), so
// no request is made for a stream that has ended meanwhile.
//
// A stream index is reused after the driver has released it and the application has received all its frames.

#include <algorithm>

#include "codec/base/check.hpp"
#include "codec/devices/switchboard.hpp"

namespace ringpost::devices {
namespace {

constexpr std::uint32_t accept_part = 8;  // of the streams: for accepted ones only

Cause cause_of(StreamEnd end, bool mid_frame) {
    switch (end) {
        case StreamEnd::finished: return mid_frame ? Cause::mid_frame : Cause::finished;
        case StreamEnd::reset: return Cause::reset;
        case StreamEnd::refused: return Cause::refused;
        case StreamEnd::unreachable: return Cause::unreachable;
        case StreamEnd::failed: return Cause::failed;
    }
    return Cause::failed;
}

}  // namespace

void Switchboard::expire(Instant now) {
    now_ = now;
    deadlines_.expire(now, [&](TimerIndex stream, Instant) { on_due(now, stream); });
    retries_.expire(now, [&](TimerIndex device, Instant) { retry(now, device); });
}

std::optional<Instant> Switchboard::next_timeout() const {
    const Instant at = std::min(deadlines_.next().value_or(never), retries_.next().value_or(never));
    return at == never ? std::nullopt : std::optional(at);
}

void Switchboard::on_due(Instant now, StreamIndex stream) {
    Connection& due = *connections_[stream];
    if (due.deadline <= now) {
        switch (due.state) {
            case Connection::State::connecting: end(now, stream, Cause::connect_timeout); return;
            case Connection::State::awaiting_name: end(now, stream, Cause::name_timeout); return;
            case Connection::State::closing: end(now, stream, Cause::closed); return;
            default: break;
        }
        // Open: free buffers that have been idle for a while.
        due.deadline = std::max(due.bytes_at, now) + free_after;
        if (now >= due.bytes_at + free_after) {
            due.in.free_if_empty();
            due.out.free_if_empty();
        }
    }
    activate(stream);
    schedule(stream);
}

void Switchboard::schedule(StreamIndex stream) {
    const Instant at = connections_[stream]->due_at();
    if (at == never)
        deadlines_.cancel(stream);
    else
        deadlines_.schedule(stream, at);
}

void Switchboard::activate(StreamIndex stream) {
    Connection& active = *connections_[stream];
    if (active.active) return;
    active.active = true;
    RINGPOST_CHECK(active_.push(stream));
}

std::optional<StreamIndex> Switchboard::accept(Instant now, const Address& peer) {
    now_ = now;
    Counters& counts = context_.counts;
    if (!accept_rates_.take(now, peer)) {
        ++counts.accepts_limited;
        return std::nullopt;
    }
    const auto stream = context_.closed || !unnamed_.may_take(network_of(peer))
                            ? std::nullopt
                            : claim(Connection::State::awaiting_name, peer, now + context_.options.name_timeout);
    if (!stream) {
        ++counts.accepts_full;
        return std::nullopt;
    }
    ++counts.accepts;
    unnamed_.take(network_of(peer));
    Connection& accepted = *connections_[*stream];
    accepted.established = true;
    accepted.greet(context_.options.name);
    activate(*stream);
    return stream;
}

void Switchboard::handle(Instant now, const StreamInput& in) {
    now_ = now;
    if (in.stream >= connections_.size()) return;
    Connection& target = *connections_[in.stream];
    switch (in.kind) {
        case StreamInput::Kind::connected:
            if (target.state != Connection::State::connecting) return;
            target.state = Connection::State::awaiting_name;
            target.established = true;
            target.deadline = now + context_.options.name_timeout;
            target.greet(context_.options.name);
            activate(in.stream);
            schedule(in.stream);
            break;
        case StreamInput::Kind::bytes: on_bytes(now, in.stream, in.bytes); break;
        case StreamInput::Kind::written: on_written(now, in.stream); break;
        case StreamInput::Kind::closed:
            if (target.wants_close) {  // both sides ended it at the same time
                target.wants_close = false;
                on_stream_released(target);
                release(in.stream);
                break;
            }
            end(now, in.stream, cause_of(in.end, !target.in.whole()), DriverStream::closed);
            break;
    }
}

std::optional<StreamRequest> Switchboard::poll(Instant now, std::span<std::byte> out) {
    now_ = now;
    for (; !active_.empty(); active_.pop()) {
        const StreamIndex stream = active_.front();
        Connection& active = *connections_[stream];
        const auto asks_for = [&](StreamRequest::Kind kind, bool& wanted) {
            wanted = false;
            return StreamRequest{kind, stream, active.peer, 0};
        };
        if (active.wants_connect) return asks_for(StreamRequest::Kind::connect, active.wants_connect);
        if (active.wants_close) {
            const StreamRequest request = asks_for(StreamRequest::Kind::close, active.wants_close);
            on_stream_released(active);
            release(stream);
            return request;
        }
        if (active.wants_pause) return asks_for(StreamRequest::Kind::pause, active.wants_pause);
        if (active.wants_resume) return asks_for(StreamRequest::Kind::resume, active.wants_resume);
        if (active.writable(now)) {
            const std::size_t bytes = active.write(out.first(std::min(out.size(), limits::stream_write_bytes_max)));
            return StreamRequest{StreamRequest::Kind::write, stream, active.peer, bytes};
        }
        active.active = false;
        if (!active.is_ringpost) schedule(stream);  // a queued frame may wait for the end of a gap
    }
    return std::nullopt;
}

std::optional<StreamIndex> Switchboard::claim(Connection::State state, const Address& peer, Instant deadline) {
    const bool reserved = state == Connection::State::connecting &&
                          streams_.taken() >= streams_.places() - streams_.places() / accept_part;
    if (reserved || !streams_.may_take(network_of(peer))) return std::nullopt;
    if (free_.empty()) {
        if (connections_.size() == context_.options.streams_max) return std::nullopt;
        free_.push_back(static_cast<StreamIndex>(connections_.size()));
        connections_.push_back(std::make_unique<Connection>());
    }
    const StreamIndex stream = free_.back();
    free_.pop_back();
    Connection& claimed = *connections_[stream];
    claimed.state = state;
    claimed.peer = peer;
    claimed.deadline = deadline;
    claimed.serial = ++newest_serial_;
    streams_.take(network_of(peer));
    schedule(stream);
    return stream;
}

// Requests a close from the driver, unless the stream was never requested from it.
void Switchboard::release_driver_stream(StreamIndex stream, DriverStream at_driver) {
    Connection& ended = *connections_[stream];
    ended.wants_close = at_driver == DriverStream::open && !ended.wants_connect;
    ended.wants_connect = ended.wants_pause = ended.wants_resume = false;
    ended.established = false;
    if (ended.wants_close)
        activate(stream);
    else
        on_stream_released(ended);
}

void Switchboard::on_stream_released(const Connection& released) { streams_.give_back(network_of(released.peer)); }

void Switchboard::count_unread(Connection& from) {
    const std::size_t bytes = from.in.unread_bytes(), unread = from.in_events ? bytes : 0, partial = bytes - unread;
    if (from.partial_bytes == 0) from.partial_since = now_;
    context_.unread_bytes += unread - from.unread_bytes;
    context_.partial_bytes += partial - from.partial_bytes;
    from.unread_bytes = unread;
    from.partial_bytes = partial;
}

void Switchboard::release(StreamIndex stream) {
    Connection& ended = *connections_[stream];
    if (ended.state != Connection::State::ended || ended.in_events || ended.wants_close) return;
    const bool active = ended.active;  // may be in active_ once more
    context_.unread_bytes -= ended.unread_bytes;
    context_.partial_bytes -= ended.partial_bytes;
    ended = Connection{};
    ended.active = active;
    free_.push_back(stream);
}

}  // namespace ringpost::devices
