// Decodes datagrams and dispatches them: RECVs to the Sender, DATA and ACKs to the Receiver. The order of transmission
// is: RECVs, since the peer waits for them; retransmissions; new messages; ACKs, for which nothing waits. If enough
// ACKs are queued to fill a train, they are sent first, so that new messages cannot delay them for ever.

#include "codec/gtudp/endpoint.hpp"

#include <cstring>

#include "codec/base/check.hpp"
#include "codec/base/reflection.hpp"

namespace ringpost::gtudp {
namespace {

constexpr std::size_t raw_queue_bytes = 1u << 20;

}  // namespace

Endpoint::Endpoint(const Options& options)
    : context_(options), sender_(context_), receiver_(context_), inbox_(options.event_bytes), raw_(raw_queue_bytes) {
    const ResendOptions& resending = options.resending;
    RINGPOST_CHECK(resending.data_sends_max >= 1 && resending.data_sends_max <= UINT8_MAX);
    RINGPOST_CHECK(resending.recv_sends_max >= 1 && resending.recv_sends_max <= UINT8_MAX);
    RINGPOST_CHECK(0 < resending.timeout_min && resending.timeout_min <= resending.timeout_max);
    RINGPOST_CHECK(resending.timeout_initial > 0 && resending.fixed_interval.value_or(1) > 0);
    RINGPOST_CHECK(0 <= resending.effective_patience() &&
                   resending.effective_patience() <= ResendOptions::patience_max);
    RINGPOST_CHECK(options.remembered > 0 && options.unknown_acks_per_s <= second);
}

void Endpoint::handle(Instant now, const Datagram& in) { handle_train(now, in, in.bytes.size()); }

void Endpoint::handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
    const std::size_t count = segment_count(train.bytes.size(), segment_bytes);
    if (is_last_hop(train.hop_limit)) {
        context_.counts.hops_exhausted += count;
        return;
    }
    Arrival arrival{.in = train};
    std::span<const std::byte> rest = train.bytes;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t bytes = i + 1 < count ? segment_bytes : rest.size();
        handle_segment(now, arrival, rest.first(bytes));
        rest = rest.subspan(bytes);
    }
    if (arrival.confirmed.packets > 0) sender_.on_confirmed(now, arrival);
}

void Endpoint::handle_segment(Instant now, Arrival& arrival, std::span<const std::byte> bytes) {
    const std::optional<Frame> frame = context_.options.codec.decode(bytes);
    if (!frame) {
        arrival.joins = false;
        on_foreign(arrival.in.source, bytes);
        return;
    }
    switch (frame->kind) {
        case Kind::data:
            if (frame->corrupt) {
                on_corrupt();
            } else if (receiver_.on_data(now, arrival, bytes.size(), frame->identity, has_room(frame->data.size()))) {
                inbox_.push(arrival.in.source, Event::Kind::message, frame->data, arrival.joins);
                arrival.joins = true;
            }
            break;
        case Kind::recv: sender_.on_recv(now, arrival, frame->identity); break;
        case Kind::ack: receiver_.on_ack(now, arrival, frame->identity); break;
    }
}

/// Not answered, so that its sender sends it again. Its identity may be wrong as well.
void Endpoint::on_corrupt() {
    ++context_.counts.data_received;
    ++context_.counts.corrupt;
}

void Endpoint::on_foreign(const Address& source, std::span<const std::byte> bytes) {
    ++context_.counts.foreign;
    if (!context_.options.recv_from_any) return;
    if (!inbox_.push(source, Event::Kind::foreign, bytes)) ++context_.counts.foreign_dropped;
}

bool Endpoint::send_raw(const Address& to, std::span<const std::byte> bytes) {
    return bytes.size() <= limits::datagram_bytes_max && raw_.push(to, bytes);
}

void Endpoint::handle_timeout(Instant now) {
    sender_.expire(now);
    receiver_.expire(now);
}

std::optional<Instant> Endpoint::poll_timeout() const {
    const auto sending = sender_.next_timeout(), receiving = receiver_.next_timeout();
    if (!sending || !receiving) return sending ? sending : receiving;
    return std::min(*sending, *receiving);
}

std::optional<Transmit> Endpoint::poll_transmit(Instant now, std::span<std::byte> out) {
    if (sender_.acks_queued() >= limits::train_segments_max) return sender_.poll_acks(out);
    if (auto recvs = receiver_.poll_recvs(now, out)) return recvs;
    if (auto again = sender_.poll_resends(now, out)) return again;
    if (auto held = sender_.poll_held(now, out)) return held;
    if (auto raw = poll_raw(out)) return raw;
    if (auto fresh = sender_.poll_fresh(now, out)) return fresh;
    return sender_.poll_acks(out);
}

std::optional<Transmit> Endpoint::poll_raw(std::span<std::byte> out) {
    const auto raw = raw_.front();
    if (!raw) return std::nullopt;
    const std::size_t bytes = raw->bytes.size();
    if (bytes > 0) std::memcpy(out.data(), raw->bytes.data(), bytes);
    raw_.pop();
    ++context_.counts.raw_sent;
    const PeerIndex peer = context_.peers.find(raw->header);
    const LocalPath path = peer == none ? LocalPath{context_.options.socket, {}} : context_.peers[peer].path;
    return Transmit{
        .destination = raw->header, .socket = path.socket, .bytes = bytes, .segment_bytes = bytes, .local = path.local};
}

std::optional<Event> Endpoint::poll_outcome() {
    if (!sender_.has_ended()) return std::nullopt;
    Event event;
    event.kind = Event::Kind::outcome;
    sender_.take_ended(event.peer, event.id, event.outcome, event.sends);
    return event;
}

Counters Endpoint::counters() const {
    Counters out = context_.counts;
    out.peers_forgotten = context_.peers.evictions();
    return out;
}

Duration Endpoint::rtt(const Address& peer) const {
    const PeerIndex index = context_.peers.find(peer);
    return index == none || !context_.peers[index].rtt.known() ? 0 : context_.peers[index].rtt.smoothed();
}

}  // namespace ringpost::gtudp
