// A connection has a place in a table, its slot, and the endpoint's name for it leads there. When it is closed the name
// is free at once; the slot only when nothing in the kernel's hands belongs to it any more, so that a late completion
// finds a closed connection and is dropped.
//
// A write is tried at once, from the one buffer that is lent to the endpoint, and is mostly done with that. Only when
// the system takes no more of it does the connection keep the buffer until the rest has gone; another is lent
// meanwhile.
//
// A send that fails because the connection has ended does not end it here: bytes that the peer sent before may still
// lie in the socket. The receive brings them, comes upon the end, and tells. A paused connection has no receive to
// tell.

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
constexpr std::uint32_t nowhere = UINT32_MAX;

bool is_broken(int error) { return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT; }

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

/// The connection was gone before it was accepted, or nothing was there: the next one may be.
bool may_accept_at_once(int error) {
    return error == ECONNABORTED || error == EINTR || error == EAGAIN || error == ECANCELED;
}

StreamInput input_of(StreamInput::Kind kind, StreamIndex stream) {
    StreamInput input;
    input.kind = kind;
    input.stream = stream;
    return input;
}

bool is_later(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

std::span<std::byte> WriteBuffers::lend() {
    if (!lent_ && !spare_.empty()) {
        lent_ = std::move(spare_.back());
        spare_.pop_back();
    }
    if (!lent_) lent_.reset(new std::byte[limits::stream_write_bytes_max]);
    return {lent_.get(), limits::stream_write_bytes_max};
}

void WriteBuffers::give_back(Buffer buffer) {
    if (buffer && spare_.size() < spare_buffers_max) spare_.push_back(std::move(buffer));
}

// ---- what the endpoint asks -------------------------------------------------------------------------

void Streams::listen(StreamListener listener) { listeners_.push_back({std::move(listener)}); }

void Streams::answer(const StreamEvent& accepted, std::optional<StreamIndex> name) {
    if (!name) {
        ++counters_.streams_refused;
        close(accepted.connection);
        return;
    }
    ++counters_.streams_accepted;
    give_name(accepted.connection, *name);
    serve_later(accepted.connection);
}

std::optional<StreamInput> Streams::post(const StreamRequest& request) {
    switch (request.kind) {
        case StreamRequest::Kind::connect: return connect(request);
        case StreamRequest::Kind::write: return write(request);
        case StreamRequest::Kind::close: close(slot_of(request.stream)); break;
        case StreamRequest::Kind::pause: return pause(request.stream, true);
        case StreamRequest::Kind::resume: return pause(request.stream, false);
    }
    return std::nullopt;
}

std::optional<StreamInput> Streams::connect(const StreamRequest& request) {
    auto socket = StreamSocket::open(request.peer.family);
    const int error = socket ? 0 : socket.error().code;
    const Slot slot = add(socket ? std::move(*socket) : StreamSocket{}, request.peer);
    give_name(slot, request.stream);
    connection(slot).connecting = true;
    if (error != 0) {
        ++counters_.connect_failed;
        return end(slot, -error);
    }
    serve_later(slot);
    return std::nullopt;
}

std::optional<StreamInput> Streams::write(const StreamRequest& request) {
    const Slot slot = slot_of(request.stream);
    Connection& to = connection(slot);
    RINGPOST_CHECK(!to.connecting && to.unsent.empty() && request.bytes > 0);
    RINGPOST_CHECK(request.bytes <= limits::stream_write_bytes_max);
    const std::span<const std::byte> bytes = buffers_.lend().first(request.bytes);
    const int result = to.send_result != 0 ? to.send_result : to.socket.send(bytes);
    if (result < 0 && !is_later(-result)) {
        if (!is_broken(-result) || to.paused) return end(slot, result);
        to.send_result = result;
        return std::nullopt;
    }
    const auto taken = static_cast<std::size_t>(std::max(result, 0));
    counters_.stream_bytes_sent += taken;
    if (taken == bytes.size()) return input_of(StreamInput::Kind::written, request.stream);
    to.buffer = buffers_.take();
    to.unsent = bytes.subspan(taken);
    ++writes_under_way_;
    serve_later(slot);
    return std::nullopt;
}

std::optional<StreamInput> Streams::pause(StreamIndex name, bool paused) {
    const Slot slot = slot_of(name);
    Connection& of = connection(slot);
    of.paused = paused;
    if (paused && of.send_result != 0) return end(slot, of.send_result);
    serve_later(slot);
    return std::nullopt;
}

// ---- what has happened ------------------------------------------------------------------------------

void Streams::on_accepted(Listener& listener, int result) {
    if (result < 0) {
        if (-result == EAGAIN || -result == ECANCELED) return;
        ++counters_.accept_failed;
        if (!may_accept_at_once(-result)) listener.rests_until = now() + accept_rest;
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
    Connection& to = connection(slot);
    if (result < 0) {
        ++counters_.connect_failed;
        tell(end(slot, result));
        return;
    }
    ++counters_.streams_connected;
    to.connecting = false;
    tell(input_of(StreamInput::Kind::connected, *to.name));
    serve_later(slot);
}

void Streams::on_received(Slot slot, std::span<const std::byte> bytes) {
    counters_.stream_bytes_received += bytes.size();
    StreamInput input = input_of(StreamInput::Kind::bytes, *connection(slot).name);
    input.bytes = bytes;
    tell(input);
}

void Streams::on_sent(Slot slot, int result) {
    Connection& to = connection(slot);
    const bool failed = result < 0 && !is_later(-result);
    if (failed && (!is_broken(-result) || to.paused)) {
        tell(end(slot, result));
        return;
    }
    if (failed) {
        to.send_result = result;
        to.unsent = {};
        --writes_under_way_;
        serve_later(slot);
        return;
    }
    const auto taken = static_cast<std::size_t>(std::max(result, 0));
    counters_.stream_bytes_sent += taken;
    to.unsent = to.unsent.subspan(taken);
    if (to.unsent.empty()) {
        --writes_under_way_;
        buffers_.give_back(std::move(to.buffer));
        tell(input_of(StreamInput::Kind::written, *to.name));
    }
    serve_later(slot);
}

void Streams::on_end(Slot slot, int result) {
    const int sent = connection(slot).send_result;
    tell(end(slot, sent != 0 ? sent : result));
}

/// The connection is no more; what the endpoint is to be told of it.
StreamInput Streams::end(Slot slot, int result) {
    const bool connecting = connection(slot).connecting;
    if (result != 0 && !connecting) ++counters_.streams_broken;
    const StreamIndex name = *connection(slot).name;
    close(slot);
    StreamInput input = input_of(StreamInput::Kind::closed, name);
    input.end = stream_end(-result);
    return input;
}

Duration Streams::prepare(Duration sleep) {
    events_.clear();
    std::swap(to_serve_, serving_);
    for (const Slot slot : serving_) {
        connection(slot).to_serve = false;
        if (connection(slot).socket.is_open()) serve(slot);
    }
    serving_.clear();
    for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
        Listener& each = listeners_[i];
        if (each.waiting) continue;
        const Duration rest = each.rests_until == 0 ? 0 : each.rests_until - now();
        if (rest > 0) {
            sleep = sleep == never ? rest : std::min(sleep, rest);
            continue;
        }
        each.rests_until = 0;
        attend(i);
    }
    return events_.empty() ? sleep : 0;
}

void Streams::serve_later(Slot slot) {
    if (!std::exchange(connection(slot).to_serve, true)) to_serve_.push_back(slot);
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

void Streams::give_name(Slot slot, StreamIndex name) {
    RINGPOST_CHECK(name < limits::streams_max);
    if (name >= slots_.size()) slots_.resize(name + 1, nowhere);
    RINGPOST_CHECK(slots_[name] == nowhere);
    slots_[name] = slot;
    connections_[slot].name = name;
}

Streams::Slot Streams::slot_of(StreamIndex name) const {
    RINGPOST_CHECK(name < slots_.size() && slots_[name] != nowhere);
    return slots_[name];
}

void Streams::close(Slot slot) {
    Connection& of = connection(slot);
    if (of.name) slots_[*of.name] = nowhere;
    if (!of.unsent.empty()) --writes_under_way_;
    const bool free = let_go(slot);
    of.socket = StreamSocket{};
    if (free) release(slot);
}

void Streams::release(Slot slot) {
    Connection& of = connection(slot);
    buffers_.give_back(std::move(of.buffer));
    of = Connection{};  // if it was to be served, whoever comes next here will be: that does no harm
    free_.push_back(slot);
}

}  // namespace ringpost
