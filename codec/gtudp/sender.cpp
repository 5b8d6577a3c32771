// An exchange is one DATA in flight to one peer. It is queued in fresh_ until poll_fresh() sends it (Wait::confirming).
// Each time its timer expires without a RECV, it is queued in resends_ and sent again, with a longer interval if the
// peer has confirmed nothing else meanwhile. It is given up after the last of data_sends_max sends has timed out; if
// `patience` has not passed since the first, it is sent again at the same interval until then. A RECV, the deadline or
// cancel() ends it in any state. Its outcome is then queued in ended_, and the exchange is freed when that has been
// taken.
//
// The first timeout of a DATA is twice the retransmission timeout. If only the RECV was lost, the receiver repeats it
// after one such timeout, and it arrives before we retransmit the larger DATA.
//
// Identities come from one counter for all peers with a random start, to which the secret offset of the peer is added.
// An attacker who receives one message thus learns nothing about the identities sent to others and cannot confirm those
// messages. A value repeats after 2^32 sends, which takes longer than any receiver's remembered window; it is skipped
// while still in flight to the same peer.
//
// A RECV for an exchange in flight proves that the peer's address is not spoofed. Until then, replies to it
// (Origin::reply) are limited in two ways. The DATA stays within the peer's budget (Peer::may_send); one that exceeds
// it counts as a send that was lost. And replies to all unproven peers share a small part of the tables (unproven_):
// one more ends the oldest.
//
// Every RECV is answered with an ACK. The first RECV of an exchange confirms it. A repeated RECV means that our ACK was
// lost; the number of confirmed exchanges limits how many of these a peer can cause. That many, plus
// unknown_acks_per_s, are answered per address.
//
// sender_transmit.cpp has what leaves, and when.

#include "codec/gtudp/sender.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {
namespace {

constexpr std::uint32_t unknown_acks_max = 1'024;  // ACKs queued for addresses that are not peers
constexpr std::uint32_t acks_max = 65'536;         // queued ACKs; more than the RECVs that one turn of the loop can
                                                   // receive

/// Adds `per_s` credits per second since `at`. The refill stops at `per_s`; a larger credit is kept.
void refill(std::uint32_t& credit, Instant& at, Instant now, std::uint32_t per_s) {
    if (credit >= per_s || per_s == 0) {
        at = now;
        return;
    }
    const Duration each = second / per_s;
    const Duration fresh = std::max<Duration>(now - at, 0) / each;
    if (fresh >= per_s - credit) {
        credit = per_s;
        at = now;
    } else {
        credit += static_cast<std::uint32_t>(fresh);
        at += fresh * each;
    }
}

/// Memory that a ChunkPool uses for `bytes`.
std::size_t chunked(std::size_t bytes) {
    return (bytes + ChunkPool::chunk_bytes - 1) / ChunkPool::chunk_bytes * ChunkPool::chunk_bytes;
}

}  // namespace

Sender::Sender(Context& context)
    : context_(context),
      exchanges_(context.options.sends_max, context.options.key),
      data_(context.options.payload_bytes),
      timers_(context.options.sends_max, context.options.start),
      fresh_(context.options.sends_max),
      resends_(context.options.sends_max),
      ended_(context.options.sends_max),
      first_sent_at_(std::make_unique_for_overwrite<Stamp[]>(context.options.sends_max)),
      deadlines_(std::make_unique_for_overwrite<Instant[]>(context.options.sends_max)),
      unproven_(context.options.sends_max),
      windows_(context.options),
      acks_(acks_max),
      unknown_acks_(unknown_acks_max),
      next_identity_(context.options.first_identity),
      unknown_credit_(context.options.unknown_acks_per_s),
      unknown_credit_at_(context.options.start) {}

// ---- application side -----------------------------------------------------------------------------

std::expected<ExchangeId, Refusal> Sender::send(Instant now, const Address& to, std::span<const std::byte> data,
                                                Instant deadline, Origin origin) {
    if (const auto why = refusal(data.size())) return refuse(*why);
    const PeerIndex peer = context_.peers.acquire(to);
    if (peer == none) return refuse(Refusal::peers_full);
    Peer& known = context_.peers[peer];
    if (const auto why = refusal(known, data.size())) return refuse(*why);
    const bool unproven = origin == Origin::reply && !known.verified;
    if (unproven && !displace_unproven(peer, data.size())) return refuse(Refusal::peer_full);
    const auto kept = data_.keep(data);
    if (!kept) return refuse(Refusal::table_full);

    const Identity identity = next_identity(peer);
    const ExchangeIndex index = exchanges_.insert(peer, identity);
    Exchange& exchange = exchanges_[index];
    exchange.data = *kept;
    exchange.data_bytes = static_cast<std::uint16_t>(data.size());
    exchange.unproven = unproven;
    if (unproven) {
        unproven_.push(index);
        unproven_bytes_ += chunked(data.size());
    }
    fresh_.push(index);
    context_.peers.hold(peer);
    ++known.sends;
    known.payload_bytes += exchange.data_bytes;
    if (deadline != never) {
        exchange.limited = true;
        deadlines_[index] = deadline;
        set_timer_alone(std::max(deadline, now), index);
    }
    ++context_.counts.taken;
    return ExchangeId{index, identity};
}

std::optional<Refusal> Sender::refusal(std::size_t bytes) const {
    if (closed_) return Refusal::not_ready;
    if (bytes > context_.options.codec.data_bytes_max()) return Refusal::too_large;
    if (exchanges_.full() || fresh_.full()) return Refusal::table_full;
    return std::nullopt;
}

std::optional<Refusal> Sender::refusal(const Peer& peer, std::size_t bytes) const {
    if (peer.sends >= context_.options.sends_per_peer_max) return Refusal::peer_full;
    // One message of any size is possible.
    if (peer.sends > 0 && peer.payload_bytes + bytes > context_.options.payload_per_peer_bytes)
        return Refusal::peer_full;
    return std::nullopt;
}

std::expected<ExchangeId, Refusal> Sender::refuse(Refusal refusal) {
    Counters& counts = context_.counts;
    switch (refusal) {
        case Refusal::too_large: ++counts.refused_too_large; break;
        case Refusal::table_full: ++counts.refused_table_full; break;
        case Refusal::peer_full: ++counts.refused_peer_full; break;
        case Refusal::peers_full: ++counts.refused_peers_full; break;
        case Refusal::not_ready: ++counts.refused_not_ready; break;
        case Refusal::bad_peer: break;  // counted by the driver, which knows the sockets
    }
    return std::unexpected(refusal);
}

/// Ends the oldest replies to unproven peers until there is room for one more with `bytes`. Returns false if the oldest
/// is to the newcomer itself: a peer cannot prove itself if each of its messages ends the reply to the one before.
bool Sender::displace_unproven(PeerIndex newcomer, std::size_t bytes) {
    while (unproven_.size() > 0 && (unproven_.size() >= context_.unproven_sends_max ||
                                    unproven_bytes_ + chunked(bytes) > context_.unproven_payload_max)) {
        const ExchangeIndex oldest = unproven_.front();
        const PeerIndex peer = exchanges_[oldest].peer;
        if (context_.peers[peer].verified) {
            leave_unproven(oldest);
            continue;
        }
        if (peer == newcomer) return false;
        ++context_.counts.displaced;
        end(oldest, Outcome::gave_up_attempts);
    }
    return true;
}

void Sender::leave_unproven(ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    exchange.unproven = false;
    unproven_.erase(index);
    unproven_bytes_ -= chunked(exchange.data_bytes);
}

Identity Sender::next_identity(PeerIndex peer) {
    const Identity offset = context_.peers[peer].identity_offset;
    while (exchanges_.find(peer, offset + next_identity_) != none) {
        ++next_identity_;
        ++context_.counts.identities_skipped;
    }
    return offset + next_identity_++;
}

bool Sender::cancel(ExchangeId id) {
    if (!exchanges_.holds(id.index)) return false;
    const Exchange& exchange = exchanges_[id.index];
    if (exchange.identity != id.identity || exchange.wait == Wait::ended) return false;
    end(id.index, Outcome::cancelled);
    return true;
}

void Sender::take_ended(Address& peer, ExchangeId& id, Outcome& outcome, std::uint32_t& sends) {
    const auto [index, how] = ended_.front();
    ended_.pop();
    const Exchange& exchange = exchanges_[index];
    peer = context_.peers[exchange.peer].address;
    id = {index, exchange.identity};
    outcome = how;
    sends = exchange.sends;
    context_.peers.release(exchange.peer);
    exchanges_.erase(index);
}

// ---- exchange states ------------------------------------------------------------------------------

void Sender::on_recv(Instant now, Arrival& arrival, Identity identity) {
    ++context_.counts.recv_received;
    const PeerIndex peer = context_.find_peer(arrival);
    if (peer != none) context_.peers[peer].count_received(context_.options.codec.header_bytes());
    const ExchangeIndex index = peer == none ? none : exchanges_.find(peer, identity);
    // A RECV for an exchange that was never sent is a guess.
    if (index == none || exchanges_[index].wait == Wait::ended || exchanges_[index].sends == 0 ||
        exchanges_[index].withheld) {
        acknowledge_unknown(now, arrival.in, peer, identity);
        return;
    }
    const Exchange& exchange = exchanges_[index];
    Peer& known = context_.peers[peer];
    if (exchange.in_flight) {
        ++arrival.confirmed.packets;
        arrival.confirmed.bytes += flight_bytes(exchange);
        if (exchange.sends == 1)
            arrival.confirmed.sent_at = std::max(arrival.confirmed.sent_at, now - since(exchange.sent_at, now));
    } else {
        windows_.on_late(now, peer);
    }
    context_.sample_rtt(arrival, exchange.sends, exchange.sent_at, now);
    context_.note_path(arrival);
    context_.peers.mark_verified(peer);
    known.confirmed_at = now;
    const std::uint32_t repeats = context_.options.resending.recv_sends_max;
    known.ack_credit = std::min(known.ack_credit, UINT32_MAX - repeats) + repeats;
    acknowledge(peer, identity);
    end(index, Outcome::confirmed);
}

void Sender::on_confirmed(Instant now, const Arrival& arrival) {
    windows_.on_confirmed(now, arrival.peer, arrival.confirmed, arrival.rtt_sampled, context_.peers[arrival.peer].rtt);
}

/// The DATA is not in flight any more, and not because it is lost.
void Sender::leave_flight(Exchange& exchange) {
    if (exchange.in_flight) windows_.leave(exchange.peer, flight_bytes(exchange));
    exchange.in_flight = false;
}

void Sender::lose(Instant now, Exchange& exchange) {
    if (!exchange.in_flight) return;
    // Nothing at all has been confirmed for so many timeouts.
    constexpr unsigned persistent_backoffs = 2;
    const bool persistent = exchange.backoffs >= persistent_backoffs;
    windows_.on_lost(now, exchange.peer, flight_bytes(exchange), now - since(exchange.sent_at, now), persistent);
    exchange.in_flight = false;
}

void Sender::expire(Instant now) {
    timers_.expire(now, [&](PeerIndex peer, Identity identity) {
        const ExchangeIndex index = exchanges_.find(peer, identity);
        exchanges_[index].timer = none;
        expire_one(now, index);
    });
}

void Sender::expire_one(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (exchange.limited && now >= deadlines_[index]) {
        end(index, Outcome::gave_up_deadline);
    } else if (exchange.wait != Wait::confirming && (exchange.wait != Wait::held || exchange.sends == 0)) {
        return;  // already queued for sending
    } else if (exchange.sends + exchange.waits >= context_.options.resending.data_sends_max &&
               patience_over(now, index)) {
        give_up(now, index);
    } else if (exchange.wait == Wait::held) {
        wait_longer(now, index);
    } else if (resends_.push(index)) {
        if (!exchange.withheld) context_.note_expired(exchange.peer, exchange.sends, exchange.sent_at, now);
        lose(now, exchange);
        exchange.wait = Wait::resending;
        if (exchange.limited) set_timer_alone(deadlines_[index], index);
    } else {
        set_timer(now, index);  // resends_ is full only if it holds many cancelled exchanges
    }
}

/// Whether ResendOptions::patience has passed since the DATA was first sent or withheld.
bool Sender::patience_over(Instant now, ExchangeIndex index) const {
    return tried_for(now, index) >= context_.options.resending.effective_patience();
}

/// Ends it, and if its peer has been silent most of the time since it was first sent, all that have waited for as long
/// as the peer has been silent.
void Sender::give_up(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    const PeerIndex peer = exchange.peer;
    const Duration tried = tried_for(now, index);
    const Duration silence = now - std::max(context_.peers[peer].confirmed_at, now - tried);
    lose(now, exchange);
    end(index, Outcome::gave_up_attempts);
    if (silence < tried / 2) return;
    const Duration least = std::max(silence, context_.options.resending.effective_patience());
    for (ExchangeIndex held = none; (held = windows_.oldest_fresh(peer)) != none;) {
        if (since(exchanges_[held].sent_at, now) < least) return;
        end(held, Outcome::gave_up_attempts);
    }
}

void Sender::end(ExchangeIndex index, Outcome outcome) {
    Exchange& exchange = exchanges_[index];
    Counters& counts = context_.counts;
    switch (outcome) {
        case Outcome::confirmed: ++counts.confirmed; break;
        case Outcome::gave_up_attempts: ++counts.gave_up_attempts; break;
        case Outcome::gave_up_deadline: ++counts.gave_up_deadline; break;
        case Outcome::cancelled: ++counts.cancelled; break;
    }
    if (exchange.wait == Wait::held) windows_.release(exchange.peer, index, exchange.sends > 0);
    leave_flight(exchange);
    exchange.wait = Wait::ended;
    clear_timer(exchange);
    data_.release(exchange.data);
    exchange.data = ChunkPool::nothing;
    if (exchange.unproven) leave_unproven(index);
    Peer& peer = context_.peers[exchange.peer];
    --peer.sends;
    peer.payload_bytes -= exchange.data_bytes;
    const bool kept = ended_.push({index, outcome});
    RINGPOST_CHECK(kept);  // each exchange is queued at most once, and ended_ holds all of them
}

// ---- acknowledging --------------------------------------------------------------------------------

bool Sender::acknowledge(PeerIndex peer, Identity identity) {
    if (acks_count_ == acks_max) {
        ++context_.counts.ack_withheld;
        return false;
    }
    ++acks_count_;
    if (!acks_.empty() && acks_.back().peer == peer && acks_.back().first + acks_.back().count == identity) {
        ++acks_.back().count;
        return true;
    }
    context_.peers.hold(peer);
    return acks_.push({peer, identity, 1});  // entries never outnumber the ACKs
}

/// `peer` is `none` if the address is not in the table.
void Sender::acknowledge_unknown(Instant now, const Datagram& in, PeerIndex peer, Identity identity) {
    ++context_.counts.recv_unknown;
    // A verified peer has a credit of its own. All other addresses share one, and no peer entry is created for them, so
    // they evict nothing.
    Peer* const entry = peer == none ? nullptr : &context_.peers[peer];
    const bool verified = entry != nullptr && entry->verified;
    const std::size_t bytes = context_.options.codec.header_bytes();
    std::uint32_t& credit = verified ? entry->ack_credit : unknown_credit_;
    refill(credit, verified ? entry->ack_credit_at : unknown_credit_at_, now, context_.options.unknown_acks_per_s);
    if (credit == 0 || (entry != nullptr && !entry->may_send(bytes))) {
        ++context_.counts.ack_withheld;
        return;
    }
    const bool queued = verified ? acknowledge(peer, identity) : unknown_acks_.push({in.source, in.path(), identity});
    if (!verified && !queued) ++context_.counts.ack_withheld;
    if (!queued) return;
    if (entry != nullptr) entry->count_sent(bytes);
    --credit;
    ++context_.counts.ack_unknown_sent;
}

std::optional<Transmit> Sender::poll_acks(std::span<std::byte> out) {
    if (acks_.empty()) return poll_unknown_acks(out);
    const PeerIndex peer = acks_.front().peer;
    TrainWriter train(out, context_.peers[peer]);
    while (!acks_.empty() && acks_.front().peer == peer && add_ack(train, acks_.front().first)) {
        --acks_count_;
        ++acks_.front().first;
        if (--acks_.front().count > 0) continue;
        acks_.pop();
        context_.peers.release(peer);
    }
    return train.transmit();
}

std::optional<Transmit> Sender::poll_unknown_acks(std::span<std::byte> out) {
    if (unknown_acks_.empty()) return std::nullopt;
    const UnknownAck first = unknown_acks_.front();
    TrainWriter train(out, first.address, first.path);
    while (!unknown_acks_.empty() && unknown_acks_.front().address == first.address &&
           unknown_acks_.front().path == first.path && add_ack(train, unknown_acks_.front().identity))
        unknown_acks_.pop();
    return train.transmit();
}

bool Sender::add_ack(TrainWriter& train, Identity identity) {
    const Codec& codec = context_.options.codec;
    std::byte* at = train.add(codec.header_bytes());
    if (at == nullptr) return false;
    codec.write_header(at, Kind::ack, identity);
    ++context_.counts.ack_sent;
    return true;
}

}  // namespace ringpost::gtudp
