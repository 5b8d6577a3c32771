// An exchange begins when the application has taken a new DATA, and is known by the address it came from and its
// identity. Its RECV is sent at once, and again each time its timer runs out (Wait::acknowledgement), until an ACK
// comes or it has been sent recv_sends_max times. From then on it is only remembered (Wait::remembering), so that the
// same DATA coming late is not delivered again; a DATA that does come again is answered by another RECV whatever the
// state.
//
// Room: when all places are taken, an exchange is forgotten before its time. A hand goes round the table, which is
// filled in the same order, so that it points at one of the oldest. That one goes if its peer never acknowledged
// anything and so may be spoofed, even while it waits for an ACK; or if it is only remembered and its peer has at least
// half an even share of the table among those who acknowledge, as is true of half of their places at least. The hand
// passes over others, but not over many: then places are tried by chance, and at last the newcomer's own peer loses its
// oldest. So who floods the table loses his own. When nothing can go, the new DATA is not taken, and its sender will
// try again.
//
// Reflection: a DATA may have come from a spoofed source. Until that address has acknowledged something, the RECVs sent
// to it stay within three times the bytes that came from it.

#include "codec/gtudp/receiver.hpp"

#include <algorithm>

namespace ringpost::gtudp {
namespace {

constexpr int recv_patience = 1;
constexpr std::uint64_t reflection_max = 3;
constexpr int hand_steps_max = 8;
constexpr int hand_steps_for_peer_max = 64;  // there may be many more places than peers
constexpr int places_tried_max = 16;
constexpr ExchangeIndex hand_looks_ahead = 8;

}  // namespace

Receiver::Receiver(Context& context)
    : context_(context),
      exchanges_(context.options.receives_max, context.options.key),
      timers_(context.options.receives_max, context.options.start),
      recvs_(context.options.receives_max) {}

// ---- taking in ------------------------------------------------------------------------------------

/// The peer of a DATA that is new and has a place; none when it is known already (and has been answered) or cannot be
/// taken (and has been counted).
PeerIndex Receiver::admit(Instant now, const Datagram& in, Identity identity, bool app_has_room) {
    Counters& counts = context_.counts;
    ++counts.data_received;
    PeerIndex index = context_.peers.acquire(in.source);
    if (index == none && make_room_for_peer()) index = context_.peers.acquire(in.source);
    if (index == none) {
        ++counts.peers_full;
        return none;
    }
    Peer& peer = context_.peers[index];
    peer.path = in.path();
    if (!peer.proven) peer.bytes_received += in.bytes.size();
    if (const ExchangeIndex known = exchanges_.find(index, identity); known != none) {
        repeat(now, known);
        return none;
    }
    if (!app_has_room) {
        ++counts.app_behind;
        return none;
    }
    if (peer.receives >= context_.options.receives_per_peer_max) {
        if (peer.remembered_oldest == none) {
            ++counts.receives_peer_full;
            return none;
        }
        forget_oldest_of(index);
    } else if (exchanges_.full() && !make_room(index)) {
        ++counts.receives_full;
        return none;
    }
    return index;
}

bool Receiver::on_data(Instant now, const Datagram& in, Identity identity, bool app_has_room) {
    const PeerIndex peer = admit(now, in, identity, app_has_room);
    if (peer == none) return false;
    ++context_.counts.delivered;
    const ExchangeIndex index = exchanges_.insert(peer, identity);
    context_.peers.hold(peer);
    context_.peers.count_receive(peer);
    queue_recv(now, index);
    return true;
}

void Receiver::repeat(Instant now, ExchangeIndex index) {
    ++context_.counts.duplicates;
    if (!exchanges_[index].queued) queue_recv(now, index);
}

// ---- room -----------------------------------------------------------------------------------------

bool Receiver::make_room(PeerIndex newcomer) {
    for (int i = 0; i < hand_steps_max; ++i)
        if (const ExchangeIndex index = move_hand(); can_lose(index)) {
            ++context_.counts.forgotten_early;
            forget(index);
            return true;
        }
    for (int i = 0; i < places_tried_max; ++i) {
        const auto index = static_cast<ExchangeIndex>(context_.random() % exchanges_.capacity());
        if (!can_lose(index)) continue;
        ++context_.counts.forgotten_early;
        forget(index);
        return true;
    }
    if (context_.peers[newcomer].remembered_oldest == none) return false;
    forget_oldest_of(newcomer);
    return true;
}

bool Receiver::make_room_for_peer() {
    for (int i = 0; i < hand_steps_for_peer_max && context_.peers.all_held(); ++i) {
        const ExchangeIndex index = move_hand();
        if (!exchanges_.holds(index) || context_.peers[exchanges_[index].peer].proven) continue;
        ++context_.counts.forgotten_early;
        forget(index);
    }
    return !context_.peers.all_held();
}

/// From how many on a proven peer loses some when room is short.
std::uint32_t Receiver::half_share() const {
    return exchanges_.capacity() / 2 / std::max(context_.peers.proven_receiving(), 1u);
}

bool Receiver::can_lose(ExchangeIndex index) const {
    const Exchange& exchange = exchanges_[index];
    const Peer& peer = context_.peers[exchange.peer];
    return !peer.proven || (exchange.wait == Wait::remembering && peer.receives >= half_share());
}

/// The place that the hand was at, one of the oldest; what it will point at soon is brought into the cache.
ExchangeIndex Receiver::move_hand() {
    const ExchangeIndex last = exchanges_.capacity() - 1;  // a power of two less one
    const ExchangeIndex pointed_at = hand_++ & last;
    exchanges_.prefetch((pointed_at + 2 * hand_looks_ahead) & last);
    timers_.prefetch((pointed_at + 2 * hand_looks_ahead) & last);
    context_.peers.prefetch(exchanges_[(pointed_at + hand_looks_ahead) & last].peer);
    return pointed_at;
}

// ---- answering ------------------------------------------------------------------------------------

void Receiver::queue_recv(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    Peer& peer = context_.peers[exchange.peer];
    if (!within_budget(peer) || !recvs_.push(index)) {
        ++context_.counts.recv_withheld;
        if (exchange.wait == Wait::acknowledgement) count_send(now, exchange);  // as one that was lost
        set_timer(now, index);
        return;
    }
    exchange.queued = true;
    timers_.cancel(index);
}

/// Counters one RECV against what may be sent to a peer that may be a spoofed source.
bool Receiver::within_budget(Peer& peer) {
    if (peer.proven) return true;
    const std::size_t bytes = context_.options.codec.header_bytes();
    if (peer.bytes_unsolicited + bytes > reflection_max * peer.bytes_received) return false;
    peer.bytes_unsolicited += bytes;
    return true;
}

std::optional<Transmit> Receiver::poll_recvs(Instant now, std::span<std::byte> out) {
    const Codec& codec = context_.options.codec;
    PeerIndex peer = none;
    std::optional<TrainWriter> train;
    for (; !recvs_.empty(); recvs_.pop()) {
        const ExchangeIndex index = recvs_.front();
        Exchange& exchange = exchanges_[index];
        if (!exchange.queued || exchange.peer == none) continue;  // forgotten in here
        if (!train) {
            peer = exchange.peer;
            train.emplace(out, context_.peers[peer].address, context_.peers[peer].path);
        }
        if (exchange.peer != peer) break;
        std::byte* at = train->add(codec.header_bytes());
        if (at == nullptr) break;
        codec.write_header(at, Kind::recv, exchange.identity);
        ++context_.counts.recv_sent;
        if (exchange.sends > 0) ++context_.counts.recv_resent;
        exchange.queued = false;
        if (exchange.wait == Wait::acknowledgement) count_send(now, exchange);
        set_timer(now, index);
    }
    return train ? std::optional(train->transmit()) : std::nullopt;
}

void Receiver::count_send(Instant now, Exchange& exchange) {
    if (exchange.sends > 0) {
        const Instant answered_at = context_.peers[exchange.peer].acked_at;
        exchange.backoffs =
            static_cast<std::uint8_t>(backoffs_of_resend(exchange.backoffs, answered_at, exchange.sent_at, now));
    }
    exchange.sends = static_cast<std::uint8_t>(std::min<std::uint32_t>(exchange.sends + 1u, UINT8_MAX));
    exchange.sent_at = stamp_of(now);
}

void Receiver::on_ack(Instant now, const Datagram& in, Identity identity) {
    ++context_.counts.ack_received;
    const PeerIndex peer = context_.peers.find(in.source);
    const ExchangeIndex index = peer == none ? none : exchanges_.find(peer, identity);
    if (index == none || exchanges_[index].wait == Wait::remembering || exchanges_[index].sends == 0) {
        ++context_.counts.ack_unknown;
        return;
    }
    Peer& known = context_.peers[peer];
    if (exchanges_[index].sends == 1) known.rtt.sample(since(exchanges_[index].sent_at, now));
    known.path = in.path();
    context_.peers.prove(peer);
    known.acked_at = now;
    remember(now, index);
}

// ---- time -----------------------------------------------------------------------------------------

void Receiver::expire(Instant now) {
    timers_.expire(now, [&](TimerIndex index, Instant) { expire_one(now, index); });
}

void Receiver::expire_one(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (exchange.wait == Wait::remembering) {
        forget(index);
    } else if (exchange.sends < context_.options.resending.recv_sends_max) {
        queue_recv(now, index);
    } else {
        ++context_.counts.recv_gave_up;
        remember(now, index);
    }
}

/// Nothing more is expected.
void Receiver::remember(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    Peer& peer = context_.peers[exchange.peer];
    exchange.wait = Wait::remembering;
    exchange.queued = false;
    exchange.older = peer.remembered_newest;
    exchange.newer = none;
    (peer.remembered_newest == none ? peer.remembered_oldest : exchanges_[peer.remembered_newest].newer) = index;
    peer.remembered_newest = index;
    set_timer(now, index);
}

void Receiver::forget_oldest_of(PeerIndex peer) {
    ++context_.counts.forgotten_early;
    forget(context_.peers[peer].remembered_oldest);
}

void Receiver::forget(ExchangeIndex index) {
    const Exchange& exchange = exchanges_[index];
    Peer& peer = context_.peers[exchange.peer];
    if (exchange.wait == Wait::remembering) {
        (exchange.older == none ? peer.remembered_oldest : exchanges_[exchange.older].newer) = exchange.newer;
        (exchange.newer == none ? peer.remembered_newest : exchanges_[exchange.newer].older) = exchange.older;
    }
    timers_.cancel(index);
    context_.peers.uncount_receive(exchange.peer);
    context_.peers.release(exchange.peer);
    exchanges_.erase(index);
}

/// When the RECV is sent again, or the exchange forgotten.
void Receiver::set_timer(Instant now, ExchangeIndex index) {
    const Exchange& exchange = exchanges_[index];
    const Duration interval = exchange.wait == Wait::remembering
                                  ? context_.options.remembered
                                  : context_.interval(context_.peers[exchange.peer], exchange.backoffs, recv_patience);
    timers_.schedule(index, now + interval);
}

}  // namespace ringpost::gtudp
