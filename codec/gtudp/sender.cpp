// An exchange is one DATA on its way to one peer. It waits in fresh_ until poll_fresh() sends it (Wait::confirming);
// each time its timer runs out before a RECV has come it goes through resends_ and is sent again, later each time that
// the peer has confirmed nothing else either, until it has been sent data_sends_max times and that has had its time
// too. A RECV from the peer, its deadline or a cancel end it at any point; its outcome then waits in ended_, and the
// exchange is free when that has been taken.
//
// The first timeout of a DATA is twice the retransmission timeout. When the RECV was lost, and not the DATA, the
// receiver sends it again after one such timeout; that reaches us before we repeat the larger DATA for nothing.
//
// Identities count up by one per exchange, whoever it is with, from a random start. One comes again after 2^32 others,
// which no sender manages within anybody's remembered window, and is skipped while still in flight with that peer.
//
// Every RECV is answered with an ACK. The peer's first for an exchange confirms it; a repeated one says that our ACK
// was lost, and our confirmed exchanges bound how many of these there may rightly be: that many, and unknown_acks_per_s
// more, are answered per address.

#include "codec/gtudp/sender.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {
namespace {

constexpr int data_patience = 2;
constexpr std::uint32_t strangers_max = 1'024;  // ACKs queued for those who are no peers
constexpr std::uint32_t acks_max = 65'536;      // queued: more than one turn of the loop can bring RECVs

/// Adds what `per_s` makes of the time since `at`, up to one second's worth above what is there already.
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
      strangers_(strangers_max),
      next_identity_(context.options.first_identity),
      strangers_credit_(context.options.unknown_acks_per_s),
      strangers_credit_at_(context.options.start) {}

// ---- the caller's side ----------------------------------------------------------------------------

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

// ---- its life -------------------------------------------------------------------------------------

void Sender::on_recv(Instant now, const Datagram& in, Identity identity) {
    ++context_.counts.recv_received;
    const PeerIndex peer = context_.peers.find(in.source);
    const ExchangeIndex index = peer == none ? none : exchanges_.find(peer, identity);
    // What was never sent cannot have been received: somebody guesses.
    if (index == none || exchanges_[index].wait == Wait::ended || exchanges_[index].sends == 0) {
        acknowledge_unknown(now, in, identity);
        return;
    }
    const Exchange& exchange = exchanges_[index];
    Peer& known = context_.peers[peer];
    if (exchange.sends == 1) known.rtt.sample(since(exchange.sent_at, now));
    known.path = in.path();
    context_.peers.prove(peer);
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
        return;  // it is about to be sent anyway
    } else if (exchange.sends >= context_.options.resending.data_sends_max) {
        end(index, Outcome::gave_up_attempts);
    } else if (resends_.push(index)) {
        exchange.wait = Wait::resending;
        if (exchange.deadline != never) timers_.schedule(index, exchange.deadline);
    } else {
        set_timer(now, index);  // cannot be unless many were cancelled in there
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
    RINGPOST_CHECK(kept);  // an exchange is in there once, and there is a place for each
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
    // One that has confirmed something for us has a credit of its own; all others share one, and are not kept as peers,
    // so that they displace nobody.
    const bool known = peer != none && context_.peers[peer].proven;
    std::uint32_t& credit = known ? context_.peers[peer].ack_credit : strangers_credit_;
    refill(credit, known ? context_.peers[peer].ack_credit_at : strangers_credit_at_, now,
           context_.options.unknown_acks_per_s);
    if (credit == 0) {
        ++context_.counts.ack_withheld;
        return;
    }
    const bool queued = known ? acknowledge(peer, identity) : strangers_.push({in.source, in.path(), identity});
    if (!known && !queued) ++context_.counts.ack_withheld;
    if (!queued) return;
    --credit;
    ++context_.counts.ack_unknown_sent;
}

std::optional<Transmit> Sender::poll_acks(std::span<std::byte> out) {
    if (acks_.empty()) return poll_strangers(out);
    const PeerIndex peer = acks_.front().peer;
    TrainWriter train(out, context_.peers[peer].address, context_.peers[peer].path);
    while (!acks_.empty() && acks_.front().peer == peer && add_ack(train, acks_.front().identity)) {
        acks_.pop();
        context_.peers.release(peer);
    }
    return train.transmit();
}

std::optional<Transmit> Sender::poll_strangers(std::span<std::byte> out) {
    if (strangers_.empty()) return std::nullopt;
    const StrangerAck first = strangers_.front();
    TrainWriter train(out, first.address, first.path);
    while (!strangers_.empty() && strangers_.front().address == first.address &&
           strangers_.front().path == first.path && add_ack(train, strangers_.front().identity))
        strangers_.pop();
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
        if (exchange.wait != waiting) continue;  // it has ended in here
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
