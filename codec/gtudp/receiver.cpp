// An exchange starts when the application accepts a new DATA. It is identified by source address and identity. Its RECV
// is sent at once and again each time its timer expires (Wait::awaiting_ack), until an ACK arrives or it has been sent
// recv_sends_max times. After that the exchange is only remembered (Wait::remembered), so that late copies of the DATA
// are not delivered again. A repeated DATA is answered with another RECV in either state.
//
// Eviction: when the table is full, an exchange is evicted before its time. A clock hand moves through the table, which
// is filled in the same order, so the hand points at one of the oldest exchanges. That exchange is evictable if its
// peer has never acknowledged anything and so may be spoofed, even while awaiting an ACK; or if it is only remembered
// and its peer holds at least half of an even share of the table. A verified peer shares with the verified ones; one
// that has only acknowledged RECVs, which a spoofed source can do as well, shares with all that have done either. At
// least half of the places of verified peers thus belong to evictable exchanges. The hand skips other exchanges, but
// only a few: then randomly chosen places are tried, then the oldest remembered exchange of the new DATA's own peer is
// evicted, so that a flooding peer evicts its own entries, and finally an exchange that awaits an ACK of a peer that is
// not verified and holds its share. If nothing is evictable, the new DATA is dropped, and its sender will retransmit
// it.
//
// When all peers have exchanges, a new peer takes the place of one that is not verified: of one that has never
// acknowledged anything; or, if these are rare, of one that the hand passes, preferably one with remembered exchanges.
//
// Reflection: the source address of a DATA may be spoofed, and the sender of the DATA knows the identity of our RECV,
// so an ACK proves nothing. Until an address has confirmed a DATA of ours, all that is sent to it stays within its
// budget (Peer::may_send).

#include "codec/gtudp/receiver.hpp"

#include <algorithm>

namespace ringpost::gtudp {
namespace {

constexpr int hand_steps_max = 8;
constexpr int hand_steps_for_peer_max = 64;  // a table may have many more places than peers
constexpr std::uint32_t unknown_share = 8;   // of the peers; if no more are unknown, the hand may miss them
constexpr int places_tried_max = 16;
constexpr ExchangeIndex hand_looks_ahead = 8;

}  // namespace

Receiver::Receiver(Context& context)
    : context_(context),
      exchanges_(context.options.receives_max, context.options.key),
      timers_(context.options.receives_max, context.options.start),
      recvs_(context.options.receives_max) {}

// ---- DATA ------------------------------------------------------------------------------------------

bool Receiver::find_peer(Arrival& arrival) {
    PeerTable& peers = context_.peers;
    if (arrival.peer != none && peers[arrival.peer].holds > 0) return true;
    arrival.peer = peers.acquire(arrival.in.source);
    if (arrival.peer == none && make_space_for_peer()) arrival.peer = peers.acquire(arrival.in.source);
    return arrival.peer != none;
}

/// Returns true if the DATA is new and there is space for its exchange. Otherwise the exchange is known and its RECV
/// queued again, or the drop has been counted.
bool Receiver::admit(Instant now, Arrival& arrival, std::size_t bytes, Identity identity, bool app_has_room) {
    Counters& counts = context_.counts;
    ++counts.data_received;
    if (!find_peer(arrival)) {
        ++counts.peers_full;
        return false;
    }
    Peer& peer = context_.peers[arrival.peer];
    context_.note_path(arrival);
    peer.count_received(bytes);
    if (const ExchangeIndex known = exchanges_.find(arrival.peer, identity); known != none) {
        on_duplicate(now, known);
        return false;
    }
    if (!app_has_room || refuses(peer)) {
        ++counts.app_behind;
        return false;
    }
    if (peer.receives >= context_.options.receives_per_peer_max) {
        if (peer.remembered_oldest == none) {
            ++counts.receives_peer_full;
            return false;
        }
        forget(peer.remembered_oldest);
    } else if (exchanges_.full() && !make_space(arrival.peer)) {
        ++counts.receives_full;
        return false;
    }
    return true;
}

/// Whether the replies to this peer have little space left (Options::answering).
bool Receiver::refuses(const Peer& peer) const {
    const Options& options = context_.options;
    if (!options.answering || peer.sends == 0) return false;
    std::uint32_t sends_max = options.sends_per_peer_max;
    std::size_t payload_max = options.payload_per_peer_bytes;
    if (!peer.verified) {
        sends_max = std::min(sends_max, context_.unproven_sends_max);
        payload_max = std::min(payload_max, context_.unproven_payload_max);
    }
    return peer.sends > sends_max / 2 || peer.payload_bytes > payload_max / 2;
}

bool Receiver::on_data(Instant now, Arrival& arrival, std::size_t bytes, Identity identity, bool app_has_room) {
    if (!admit(now, arrival, bytes, identity, app_has_room)) return false;
    ++context_.counts.delivered;
    const ExchangeIndex index = exchanges_.insert(arrival.peer, identity);
    context_.peers.add_receive(arrival.peer);
    ++awaiting_acks_;
    queue_recv(now, index);
    return true;
}

void Receiver::on_duplicate(Instant now, ExchangeIndex index) {
    ++context_.counts.duplicates;
    if (exchanges_[index].queued) return;
    exchanges_[index].by_duplicate = true;
    queue_recv(now, index);
}

// ---- eviction --------------------------------------------------------------------------------------

bool Receiver::make_space(PeerIndex newcomer) {
    ExchangeIndex last = none;
    for (int i = 0; i < hand_steps_max + places_tried_max; ++i) {
        const ExchangeIndex index =
            i < hand_steps_max ? advance_hand() : static_cast<ExchangeIndex>(context_.random() % exchanges_.capacity());
        const Eviction eviction = eviction_of(index);
        if (eviction == Eviction::at_once) {
            forget(index);
            return true;
        }
        if (eviction == Eviction::last) last = index;
    }
    if (context_.peers[newcomer].remembered_oldest != none) last = context_.peers[newcomer].remembered_oldest;
    if (last == none) return false;
    forget(last);
    return true;
}

bool Receiver::make_space_for_peer() {
    const PeerTable& peers = context_.peers;
    const bool unknown_rare = peers.unknown_receiving() <= peers.size() / unknown_share;
    ExchangeIndex last = none;
    for (int i = 0; i < hand_steps_for_peer_max && peers.all_held(); ++i) {
        const ExchangeIndex index = advance_hand();
        if (!exchanges_.holds(index) || peers[exchanges_[index].peer].verified) continue;
        const bool waits = exchanges_[index].wait == Wait::awaiting_ack;
        if (!peers[exchanges_[index].peer].acknowledged || (unknown_rare && !waits))
            forget_with_remembered(index);
        else if (unknown_rare)
            last = index;
    }
    if (last != none && peers.all_held()) forget_with_remembered(last);
    return !peers.all_held();
}

/// Evicts an exchange, and those of its peer that are only remembered.
void Receiver::forget_with_remembered(ExchangeIndex index) {
    const Peer& peer = context_.peers[exchanges_[index].peer];
    forget(index);
    for (int i = 0; i < hand_steps_for_peer_max && peer.remembered_oldest != none; ++i) forget(peer.remembered_oldest);
}

/// Whether the peer has half of an even share of the table among the peers that count for the same. It may then lose
/// exchanges.
bool Receiver::has_half_share(const Peer& peer) const {
    const std::uint32_t sharing =
        peer.verified ? context_.peers.verified_receiving() : context_.peers.acknowledged_receiving();
    return (std::uint64_t{peer.receives} + 1) * std::max(sharing, 1u) > exchanges_.capacity() / 2;
}

Receiver::Eviction Receiver::eviction_of(ExchangeIndex index) const {
    const Exchange& exchange = exchanges_[index];
    const Peer& peer = context_.peers[exchange.peer];
    if (!peer.verified && !peer.acknowledged) return Eviction::at_once;
    if (!has_half_share(peer)) return Eviction::never;
    if (exchange.wait == Wait::remembered) return Eviction::at_once;
    return peer.verified ? Eviction::never : Eviction::last;
}

/// Returns the place at the hand and advances it. Prefetches places that it will reach soon.
ExchangeIndex Receiver::advance_hand() {
    const ExchangeIndex last = exchanges_.capacity() - 1;  // the capacity is a power of two, so this is a mask
    const ExchangeIndex pointed_at = hand_++ & last;
    exchanges_.prefetch((pointed_at + 2 * hand_looks_ahead) & last);
    const ExchangeIndex ahead = (pointed_at + hand_looks_ahead) & last;
    if (exchanges_.holds(ahead)) context_.peers.prefetch(exchanges_[ahead].peer);
    return pointed_at;
}

// ---- RECV and ACK ----------------------------------------------------------------------------------

std::optional<Transmit> Receiver::poll_recvs(Instant now, std::span<std::byte> out) {
    const Codec& codec = context_.options.codec;
    PeerIndex peer = none;
    std::optional<TrainWriter> train;
    for (; !recvs_.empty(); recvs_.pop()) {
        const ExchangeIndex index = recvs_.front();
        Exchange& exchange = exchanges_[index];
        if (!exchange.queued || exchange.peer == none) continue;  // evicted while queued
        if (!train) {
            peer = exchange.peer;
            train.emplace(out, context_.peers[peer]);
        }
        if (exchange.peer != peer) break;
        std::byte* at = train->add(codec.header_bytes());
        if (at == nullptr) break;
        codec.write_header(at, Kind::recv, exchange.identity);
        ++context_.counts.recv_sent;
        if (exchange.sends > 0) ++context_.counts.recv_resent;
        exchange.queued = false;
        if (exchange.wait == Wait::awaiting_ack) count_send(now, exchange);
        set_timer(now, exchange);
    }
    return train ? std::optional(train->transmit()) : std::nullopt;
}

/// The RECV was not sent; it counts as one that was lost.
void Receiver::withhold_recv(Instant now, Exchange& exchange) {
    ++context_.counts.recv_withheld;
    if (exchange.wait == Wait::awaiting_ack) count_send(now, exchange);
    set_timer(now, exchange);
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

void Receiver::on_ack(Instant now, Arrival& arrival, Identity identity) {
    ++context_.counts.ack_received;
    const PeerIndex peer = context_.find_peer(arrival);
    if (peer != none) context_.peers[peer].count_received(context_.options.codec.header_bytes());
    const ExchangeIndex index = peer == none ? none : exchanges_.find(peer, identity);
    if (index == none || exchanges_[index].wait == Wait::remembered || exchanges_[index].sends == 0) {
        ++context_.counts.ack_unknown;
        return;
    }
    if (!exchanges_[index].by_duplicate)
        context_.sample_rtt(arrival, exchanges_[index].sends, exchanges_[index].sent_at, now);
    context_.note_path(arrival);
    context_.peers.mark_acknowledged(peer);
    context_.peers[peer].acked_at = now;
    remember(now, index);
}

// ---- timers ----------------------------------------------------------------------------------------

void Receiver::expire(Instant now) {
    timers_.expire(now, [&](PeerIndex peer, Identity identity) {
        const ExchangeIndex index = exchanges_.find(peer, identity);
        exchanges_[index].timer = none;
        expire_one(now, index);
    });
}

void Receiver::expire_one(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (exchange.wait == Wait::remembered) {
        erase(index);
    } else if (exchange.sends < context_.options.resending.recv_sends_max) {
        exchange.by_duplicate = false;
        context_.note_expired(exchange.peer, exchange.sends, exchange.sent_at, now);
        queue_recv(now, index);
    } else {
        ++context_.counts.recv_gave_up;
        remember(now, index);
    }
}

/// The exchange is complete; it is only remembered from now on.
void Receiver::remember(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    Peer& peer = context_.peers[exchange.peer];
    exchange.wait = Wait::remembered;
    --awaiting_acks_;
    exchange.queued = false;
    exchange.older = peer.remembered_newest;
    exchange.newer = none;
    (peer.remembered_newest == none ? peer.remembered_oldest : exchanges_[peer.remembered_newest].newer) = index;
    peer.remembered_newest = index;
    set_timer(now, exchange);
}

void Receiver::forget(ExchangeIndex index) {
    ++context_.counts.forgotten_early;
    erase(index);
}

void Receiver::erase(ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    Peer& peer = context_.peers[exchange.peer];
    if (exchange.wait == Wait::remembered) {
        (exchange.older == none ? peer.remembered_oldest : exchanges_[exchange.older].newer) = exchange.newer;
        (exchange.newer == none ? peer.remembered_newest : exchanges_[exchange.newer].older) = exchange.older;
    } else {
        --awaiting_acks_;
    }
    clear_timer(exchange);
    context_.peers.remove_receive(exchange.peer);
    exchanges_.erase(index);
}

}  // namespace ringpost::gtudp
