// An exchange is one DATA in flight to one peer. It is queued in fresh_ until poll_fresh() sends it (Wait::confirming).
// Each time its timer expires without a RECV, it is queued in resends_ and sent again, with a longer interval if the
// peer has confirmed nothing else meanwhile. After the last of data_sends_max sends has timed out it is given up. A
// RECV, the deadline or cancel() ends it in any state. Its outcome is then queued in ended_, and the exchange is freed
// when that has been taken.
//
// The first timeout of a DATA is twice the retransmission timeout. If only the RECV was lost, the receiver repeats it
// after one such timeout, and it arrives before we retransmit the larger DATA.
//
// Identities come from one counter for all peers with a random start. A value repeats after 2^32 sends, which takes
// longer than any receiver's remembered window; it is skipped while still in flight to the same peer.
//
// Every RECV is answered with an ACK. The first RECV of an exchange confirms it. A repeated RECV means that our ACK was
// lost; the number of confirmed exchanges limits how many of these a peer can cause. That many, plus
// unknown_acks_per_s, are answered per address.

#include "codec/gtudp/sender.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {
namespace {

constexpr int data_patience = 2;
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

}  // namespace

Sender::Sender(Context& context)
    : context_(context),
      exchanges_(context.options.sends_max, context.options.key),
      data_(context.options.payload_bytes),
      timers_(context.options.sends_max, context.options.start),
      fresh_(context.options.sends_max),
      resends_(context.options.sends_max),
      ended_(context.options.sends_max),
      acks_(acks_max),
      unknown_acks_(unknown_acks_max),
      next_identity_(context.options.first_identity),
      unknown_credit_(context.options.unknown_acks_per_s),
      unknown_credit_at_(context.options.start) {}

// ---- application side -----------------------------------------------------------------------------

std::expected<ExchangeId, Refusal> Sender::send(Instant now, const Address& to, std::span<const std::byte> data,
                                                Instant deadline) {
    if (const auto why = refusal(data.size())) return refuse(*why);
    const PeerIndex peer = context_.peers.acquire(to);
    if (peer == none) return refuse(Refusal::peers_full);
    if (context_.peers[peer].sends >= context_.options.sends_per_peer_max) return refuse(Refusal::peer_full);
    const auto kept = data_.keep(data);
    if (!kept) return refuse(Refusal::table_full);

    const Identity identity = next_identity(peer);
    const ExchangeIndex index = exchanges_.insert(peer, identity);
    Exchange& exchange = exchanges_[index];
    exchange.deadline = deadline;
    exchange.data = *kept;
    exchange.data_bytes = static_cast<std::uint16_t>(data.size());
    fresh_.push(index);
    context_.peers.hold(peer);
    ++context_.peers[peer].sends;
    if (deadline != never) timers_.schedule(index, std::max(deadline, now));
    ++context_.counts.taken;
    return ExchangeId{index, identity};
}

std::optional<Refusal> Sender::refusal(std::size_t bytes) const {
    if (closed_) return Refusal::not_ready;
    if (bytes > context_.options.codec.data_bytes_max()) return Refusal::too_large;
    if (exchanges_.full() || fresh_.full()) return Refusal::table_full;
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
    }
    return std::unexpected(refusal);
}

Identity Sender::next_identity(PeerIndex peer) {
    while (exchanges_.find(peer, next_identity_) != none) {
        ++next_identity_;
        ++context_.counts.identities_skipped;
    }
    return next_identity_++;
}

bool Sender::cancel(ExchangeId id) {
    if (!exchanges_.holds(id.index)) return false;
    const Exchange& exchange = exchanges_[id.index];
    if (exchange.identity != id.identity || exchange.wait == Wait::ended) return false;
    end(id.index, Outcome::cancelled);
    return true;
}

void Sender::take_ended(Address& peer, ExchangeId& id, Outcome& outcome, std::uint32_t& sends) {
    const ExchangeIndex index = ended_.front();
    ended_.pop();
    const Exchange& exchange = exchanges_[index];
    peer = context_.peers[exchange.peer].address;
    id = {index, exchange.identity};
    outcome = exchange.outcome;
    sends = exchange.sends;
    context_.peers.release(exchange.peer);
    exchanges_.erase(index);
}

// ---- exchange states ------------------------------------------------------------------------------

void Sender::on_recv(Instant now, const Datagram& in, Identity identity) {
    ++context_.counts.recv_received;
    const PeerIndex peer = context_.peers.find(in.source);
    const ExchangeIndex index = peer == none ? none : exchanges_.find(peer, identity);
    // A RECV for an exchange that was never sent is a guess.
    if (index == none || exchanges_[index].wait == Wait::ended || exchanges_[index].sends == 0) {
        acknowledge_unknown(now, in, identity);
        return;
    }
    const Exchange& exchange = exchanges_[index];
    Peer& known = context_.peers[peer];
    if (exchange.sends == 1) known.rtt.sample(since(exchange.sent_at, now));
    known.note_path(in);
    context_.peers.mark_verified(peer);
    known.confirmed_at = now;
    const std::uint32_t repeats = context_.options.resending.recv_sends_max;
    known.ack_credit = std::min(known.ack_credit, UINT32_MAX - repeats) + repeats;
    acknowledge(peer, identity);
    end(index, Outcome::confirmed);
}

void Sender::expire(Instant now) {
    timers_.expire(now, [&](TimerIndex index, Instant) { expire_one(now, index); });
}

void Sender::expire_one(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (now >= exchange.deadline) {
        end(index, Outcome::gave_up_deadline);
    } else if (exchange.wait != Wait::confirming) {
        return;  // already queued for sending
    } else if (exchange.sends >= context_.options.resending.data_sends_max) {
        end(index, Outcome::gave_up_attempts);
    } else if (resends_.push(index)) {
        exchange.wait = Wait::resending;
        if (exchange.deadline != never) timers_.schedule(index, exchange.deadline);
    } else {
        set_timer(now, index);  // resends_ is full only if it holds many cancelled exchanges
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
    exchange.wait = Wait::ended;
    exchange.outcome = outcome;
    timers_.cancel(index);
    data_.release(exchange.data);
    exchange.data = ChunkPool::nothing;
    --context_.peers[exchange.peer].sends;
    const bool kept = ended_.push(index);
    RINGPOST_CHECK(kept);  // each exchange is queued at most once, and ended_ holds all of them
}

// ---- acknowledging --------------------------------------------------------------------------------

bool Sender::acknowledge(PeerIndex peer, Identity identity) {
    if (!acks_.push({peer, identity})) {
        ++context_.counts.ack_withheld;
        return false;
    }
    context_.peers.hold(peer);
    return true;
}

void Sender::acknowledge_unknown(Instant now, const Datagram& in, Identity identity) {
    ++context_.counts.recv_unknown;
    const PeerIndex peer = context_.peers.find(in.source);
    // A verified peer has a credit of its own. All other addresses share one, and no peer entry is created for them, so
    // they evict nothing.
    const bool known = peer != none && context_.peers[peer].verified;
    std::uint32_t& credit = known ? context_.peers[peer].ack_credit : unknown_credit_;
    refill(credit, known ? context_.peers[peer].ack_credit_at : unknown_credit_at_, now,
           context_.options.unknown_acks_per_s);
    if (credit == 0) {
        ++context_.counts.ack_withheld;
        return;
    }
    const bool queued = known ? acknowledge(peer, identity) : unknown_acks_.push({in.source, in.path(), identity});
    if (!known && !queued) ++context_.counts.ack_withheld;
    if (!queued) return;
    --credit;
    ++context_.counts.ack_unknown_sent;
}

std::optional<Transmit> Sender::poll_acks(std::span<std::byte> out) {
    if (acks_.empty()) return poll_unknown_acks(out);
    const PeerIndex peer = acks_.front().peer;
    TrainWriter train(out, context_.peers[peer].address, context_.peers[peer].path);
    while (!acks_.empty() && acks_.front().peer == peer && add_ack(train, acks_.front().identity)) {
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

// ---- sending --------------------------------------------------------------------------------------

std::optional<Transmit> Sender::poll(Instant now, std::span<std::byte> out, RingQueue<ExchangeIndex>& queue) {
    const Codec& codec = context_.options.codec;
    const Wait waiting = &queue == &fresh_ ? Wait::fresh : Wait::resending;
    PeerIndex peer = none;
    std::optional<TrainWriter> train;
    for (; !queue.empty(); queue.pop()) {
        const ExchangeIndex index = queue.front();
        Exchange& exchange = exchanges_[index];
        if (exchange.wait != waiting) continue;  // ended while queued
        if (!train) {
            peer = exchange.peer;
            train.emplace(out, context_.peers[peer].address, context_.peers[peer].path);
        }
        if (exchange.peer != peer) break;
        std::byte* at = train->add(codec.header_bytes() + exchange.data_bytes);
        if (at == nullptr) break;
        codec.write_header(at, Kind::data, exchange.identity);
        data_.copy(exchange.data, {at + codec.header_bytes(), exchange.data_bytes});
        if (exchange.sends > 0) {
            ++context_.counts.data_resent;
            const Instant answered_at = context_.peers[peer].confirmed_at;
            exchange.backoffs = backoffs_of_resend(exchange.backoffs, answered_at, exchange.sent_at, now) & 15u;
        }
        ++exchange.sends;
        ++context_.counts.data_sent;
        exchange.sent_at = stamp_of(now);
        exchange.wait = Wait::confirming;
        set_timer(now, index);
    }
    return train ? std::optional(train->transmit()) : std::nullopt;
}

void Sender::set_timer(Instant now, ExchangeIndex index) {
    const Exchange& exchange = exchanges_[index];
    const Duration interval = context_.interval(context_.peers[exchange.peer], exchange.backoffs, data_patience);
    timers_.schedule(index, std::min(now + interval, exchange.deadline));
}

}  // namespace ringpost::gtudp
