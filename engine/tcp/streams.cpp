// Each connection occupies a slot of a table; the endpoint's stream index maps to the slot. Closing a connection frees
// the index immediately, but the slot only after the kernel has completed all its requests, so a late completion finds
// a closed connection and is dropped.
//
// A write is attempted immediately, from the shared write buffer, and usually completes. If the socket accepts only
// part of it, the connection keeps the buffer until the rest is sent, and the next write uses another buffer.
//
// A send that fails because the peer closed or reset the connection does not end it yet, because bytes that the peer
// sent before may still be in the socket. The receive delivers them, reaches the end and reports it. A paused
// connection has no receive, so there the failed send is reported directly.

#include "engine/tcp/streams.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "engine/os/clock.hpp"

namespace ringpost {
namespace {

constexpr std::size_t spare_buffers_max = 16;
constexpr std::uint32_t no_slot = UINT32_MAX;

bool is_disconnect(int error) { return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT; }

StreamEnd stream_end(int error) {
    switch (error) {
        case 0: return StreamEnd::finished;
        case EPIPE:
        case ECONNABORTED:
        case ECONNRESET: return StreamEnd::reset;
        case ECONNREFUSED: return StreamEnd::refused;
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETDOWN:
        case ENETUNREACH: return StreamEnd::unreachable;
        default: return StreamEnd::failed;
    }
}

/// Errors of a single connection: accept again without a pause.
bool is_transient_accept_error(int error) { return error == ECONNABORTED || error == EINTR; }

StreamInput make_input(StreamInput::Kind kind, StreamIndex stream) {
    StreamInput input;
    input.kind = kind;
    input.stream = stream;
    return input;
}

bool is_retryable(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

std::span<std::byte> WriteBuffers::current() {
    if (!current_ && !spare_.empty()) {
        current_ = std::move(spare_.back());
        spare_.pop_back();
    }
    if (!current_) current_.reset(new std::byte[limits::stream_write_bytes_max]);
    return {current_.get(), limits::stream_write_bytes_max};
}

void WriteBuffers::recycle(Buffer buffer) {
    if (buffer && spare_.size() < spare_buffers_max) spare_.push_back(std::move(buffer));
}

// ---- requests of the endpoint -----------------------------------------------------------------------

void Streams::listen(StreamListener listener) { listeners_.push_back({std::move(listener)}); }

void Streams::answer(const StreamEvent& accepted, std::optional<StreamIndex> stream) {
    if (!stream) {
        ++counters_.streams_refused;
        close(accepted.connection);
        return;
    }
    ++counters_.streams_accepted;
    assign_index(accepted.connection, *stream);
    schedule_update(accepted.connection);
}

std::optional<StreamInput> Streams::post(const StreamRequest& request) {
    switch (request.kind) {
        case StreamRequest::Kind::connect: return connect(request);
        case StreamRequest::Kind::write: return write(request);
        case StreamRequest::Kind::close: close(slot_of(request.stream)); break;
        case StreamRequest::Kind::pause: return set_paused(request.stream, true);
        case StreamRequest::Kind::resume: return set_paused(request.stream, false);
    }
    return std::nullopt;
}

std::optional<StreamInput> Streams::connect(const StreamRequest& request) {
    auto socket = StreamSocket::open(request.peer.family);
    const int error = socket ? 0 : socket.error().code;
    const Slot slot = add(socket ? std::move(*socket) : StreamSocket{}, request.peer);
    assign_index(slot, request.stream);
    connection(slot).connecting = true;
    if (error != 0) {
        ++counters_.connect_failed;
        return end(slot, -error);
    }
    schedule_update(slot);
    return std::nullopt;
}

std::optional<StreamInput> Streams::write(const StreamRequest& request) {
    const Slot slot = slot_of(request.stream);
    Connection& conn = connection(slot);
    RINGPOST_CHECK(!conn.connecting && conn.unsent.empty() && request.bytes > 0);
    RINGPOST_CHECK(request.bytes <= limits::stream_write_bytes_max);
    const std::span<const std::byte> bytes = buffers_.current().first(request.bytes);
    const int result = conn.send_result != 0 ? conn.send_result : conn.socket.send(bytes);
    if (result < 0 && !is_retryable(-result)) {
        if (!is_disconnect(-result) || conn.paused) return end(slot, result);
        conn.send_result = result;
        return std::nullopt;
    }
    const auto taken = static_cast<std::size_t>(std::max(result, 0));
    counters_.stream_bytes_sent += taken;
    if (taken == bytes.size()) return make_input(StreamInput::Kind::written, request.stream);
    conn.buffer = buffers_.take();
    conn.unsent = bytes.subspan(taken);
    ++writes_in_flight_;
    schedule_update(slot);
    return std::nullopt;
}

std::optional<StreamInput> Streams::set_paused(StreamIndex stream, bool paused) {
    const Slot slot = slot_of(stream);
    Connection& conn = connection(slot);
    conn.paused = paused;
    if (paused && conn.send_result != 0) return end(slot, conn.send_result);
    schedule_update(slot);
    return std::nullopt;
}

// ---- completions ------------------------------------------------------------------------------------

void Streams::on_accepted(Listener& listener, int result) {
    if (result < 0) {
        if (-result == EAGAIN || -result == ECANCELED) return;
        ++counters_.accept_failed;
        if (!is_transient_accept_error(-result)) listener.paused_until = now() + accept_pause;
        return;
    }
    StreamSocket socket = StreamSocket::accepted(result);
    const Address peer = socket.peer();
    if (peer.family == Family::none) {
        ++counters_.accept_failed;
        return;
    }
    const Slot slot = add(std::move(socket), peer);
    events_.push_back({.accepted = true, .connection = slot, .peer = peer});
}

void Streams::on_connected(Slot slot, int result) {
    Connection& conn = connection(slot);
    if (result < 0) {
        ++counters_.connect_failed;
        emit(end(slot, result));
        return;
    }
    ++counters_.streams_connected;
    conn.connecting = false;
    emit(make_input(StreamInput::Kind::connected, *conn.stream));
    schedule_update(slot);
}

void Streams::on_received(Slot slot, std::span<const std::byte> bytes) {
    counters_.stream_bytes_received += bytes.size();
    StreamInput input = make_input(StreamInput::Kind::bytes, *connection(slot).stream);
    input.bytes = bytes;
    emit(input);
}

void Streams::on_sent(Slot slot, int result) {
    Connection& conn = connection(slot);
    const bool failed = result < 0 && !is_retryable(-result);
    if (failed && (!is_disconnect(-result) || conn.paused)) {
        emit(end(slot, result));
        return;
    }
    if (failed) {
        conn.send_result = result;
        conn.unsent = {};
        --writes_in_flight_;
        schedule_update(slot);
        return;
    }
    const auto taken = static_cast<std::size_t>(std::max(result, 0));
    counters_.stream_bytes_sent += taken;
    conn.unsent = conn.unsent.subspan(taken);
    if (conn.unsent.empty()) {
        --writes_in_flight_;
        buffers_.recycle(std::move(conn.buffer));
        emit(make_input(StreamInput::Kind::written, *conn.stream));
    }
    schedule_update(slot);
}

void Streams::on_end(Slot slot, int result) {
    const int sent = connection(slot).send_result;
    emit(end(slot, sent != 0 ? sent : result));
}

/// Closes the connection and returns the `closed` input for the endpoint.
StreamInput Streams::end(Slot slot, int result) {
    const bool connecting = connection(slot).connecting;
    if (result != 0 && !connecting) ++counters_.streams_broken;
    const StreamIndex stream = *connection(slot).stream;
    close(slot);
    StreamInput input = make_input(StreamInput::Kind::closed, stream);
    input.end = stream_end(-result);
    return input;
}

Duration Streams::prepare(Duration sleep) {
    events_.clear();
    std::swap(scheduled_, updating_);
    for (const Slot slot : updating_) {
        connection(slot).update_scheduled = false;
        if (connection(slot).socket.is_open()) update(slot);
    }
    updating_.clear();
    for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
        Listener& each = listeners_[i];
        if (each.waiting) continue;
        const Duration rest = each.paused_until == 0 ? 0 : each.paused_until - now();
        if (rest > 0) {
            sleep = sleep == never ? rest : std::min(sleep, rest);
            continue;
        }
        each.paused_until = 0;
        start_accepting(i);
    }
    return events_.empty() ? sleep : 0;
}

void Streams::schedule_update(Slot slot) {
    if (!std::exchange(connection(slot).update_scheduled, true)) scheduled_.push_back(slot);
}

// ---- the table --------------------------------------------------------------------------------------

Streams::Slot Streams::add(StreamSocket socket, const Address& peer) {
    if (free_.empty()) {
        free_.push_back(static_cast<Slot>(connections_.size()));
        connections_.emplace_back();
    }
    const Slot slot = free_.back();
    free_.pop_back();
    connections_[slot].socket = std::move(socket);
    connections_[slot].peer = peer;
    return slot;
}

void Streams::assign_index(Slot slot, StreamIndex stream) {
    RINGPOST_CHECK(stream < limits::streams_max);
    if (stream >= slot_by_stream_.size()) slot_by_stream_.resize(stream + 1, no_slot);
    RINGPOST_CHECK(slot_by_stream_[stream] == no_slot);
    slot_by_stream_[stream] = slot;
    connections_[slot].stream = stream;
}

Streams::Slot Streams::slot_of(StreamIndex stream) const {
    RINGPOST_CHECK(stream < slot_by_stream_.size() && slot_by_stream_[stream] != no_slot);
    return slot_by_stream_[stream];
}

void Streams::close(Slot slot) {
    Connection& conn = connection(slot);
    if (conn.stream) slot_by_stream_[*conn.stream] = no_slot;
    if (!conn.unsent.empty()) --writes_in_flight_;
    const bool free = cancel_requests(slot);
    conn.socket = StreamSocket{};
    if (free) release(slot);
}

void Streams::release(Slot slot) {
    Connection& conn = connection(slot);
    buffers_.recycle(std::move(conn.buffer));
    conn = Connection{};  // a pending entry in scheduled_ may now update the slot's next connection, which is harmless
    free_.push_back(slot);
}

}  // namespace ringpost
