// Which DATA leave, in trains to one peer.
//
// Congestion control (windows_) decides whether a DATA may leave. One that may not is held there (Wait::held), in
// order, until RECVs or losses make space, or until its peer has been silent for as long as it takes to give up a DATA.
// A DATA counts as in flight from its sending until its RECV or its timer, which declares it lost.

#include "codec/gtudp/sender.hpp"

#include <algorithm>
#include <bit>

namespace ringpost::gtudp {

std::optional<Transmit> Sender::poll(Instant now, std::span<std::byte> out, RingQueue<ExchangeIndex>& queue) {
    const Wait waiting = &queue == &fresh_ ? Wait::fresh : Wait::resending;
    PeerIndex peer = none;
    std::optional<TrainWriter> train;
    for (; !queue.empty(); queue.pop()) {
        const ExchangeIndex index = queue.front();
        Exchange& exchange = exchanges_[index];
        if (exchange.wait != waiting) continue;  // ended while queued
        if (windows_.holds_up(context_.peers[exchange.peer], exchange.peer, flight_bytes(exchange))) {
            hold(now, index);
            continue;
        }
        if (withhold(now, index)) continue;
        if (!train) {
            peer = exchange.peer;
            train.emplace(out, context_.peers[peer]);
        }
        if (exchange.peer != peer || !add_data(now, index, *train)) break;
    }
    return train ? std::optional(train->transmit()) : std::nullopt;
}

std::optional<Transmit> Sender::poll_held(Instant now, std::span<std::byte> out) {
    for (PeerIndex peer = none; (peer = windows_.open_peer()) != none;) {
        TrainWriter train(out, context_.peers[peer]);
        bool full = false;
        for (ExchangeIndex index = none; !full && (index = windows_.first_held(peer)) != none;) {
            if (!windows_.has_room(peer, flight_bytes(exchanges_[index]))) break;
            const bool again = exchanges_[index].sends > 0;
            full = !withhold(now, index) && !add_data(now, index, train);
            if (!full) windows_.release(peer, index, again);
        }
        if (!full) windows_.pass_peer();
        if (!train.empty()) return train.transmit();
    }
    return std::nullopt;
}

/// The window is full. The timer of one that is sent again goes on, and each interval in which its peer is silent
/// counts as if it had been sent: so that such a peer is given up in time.
void Sender::hold(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    windows_.hold(exchange.peer, index, exchange.sends > 0);
    exchange.wait = Wait::held;
    if (exchange.sends > 0)
        set_timer(now, index);
    else
        exchange.sent_at = stamp_of(now);
}

/// Counts a reply to an unproven peer as sent and lost, if it exceeds the peer's budget.
bool Sender::withhold(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (!exchange.unproven ||
        context_.peers[exchange.peer].may_send(context_.options.codec.data_frame_bytes(exchange.data_bytes)))
        return false;
    ++context_.counts.data_withheld;
    if (exchange.sends == 0) exchange.withheld = true;
    count_send(now, index);
    return true;
}

/// Returns false if the train has no space for it.
bool Sender::add_data(Instant now, ExchangeIndex index, TrainWriter& train) {
    const Codec& codec = context_.options.codec;
    Exchange& exchange = exchanges_[index];
    const std::size_t bytes = codec.data_frame_bytes(exchange.data_bytes);
    std::byte* const at = train.add(bytes);
    if (at == nullptr) return false;
    codec.write_header(at, Kind::data, exchange.identity);
    data_.copy(exchange.data, {at + codec.header_bytes(), exchange.data_bytes});
    codec.write_trailer({at, bytes});
    if (exchange.unproven) context_.peers[exchange.peer].count_sent(bytes);
    if (exchange.sends > 0 && !exchange.withheld) ++context_.counts.data_resent;
    exchange.withheld = false;
    exchange.in_flight = windows_.on_sent(now, exchange.peer, flight_bytes(exchange));
    ++context_.counts.data_sent;
    count_send(now, index);
    return true;
}

/// The DATA has been sent or withheld; waits for its RECV.
void Sender::count_send(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    if (exchange.sends == 1) first_sent_at_[index] = exchange.sent_at;
    if (exchange.sends > 0 && exchange.sends < context_.options.resending.data_sends_max) back_off(now, exchange);
    exchange.sends = static_cast<std::uint8_t>(std::min(exchange.sends + 1, UINT8_MAX));
    exchange.sent_at = stamp_of(now);
    exchange.wait = Wait::confirming;
    set_timer(now, index);
}

/// A timer of one that is held sends nothing: it is set again after as long as it has taken since the last send,
/// rounded down to a power of two.
void Sender::wait_longer(Instant now, ExchangeIndex index) {
    Exchange& exchange = exchanges_[index];
    const Peer& peer = context_.peers[exchange.peer];
    const Duration waited = std::max<Duration>(since(exchange.sent_at, now), 1);
    if (peer.confirmed_at <= now - waited && exchange.waits < UINT8_MAX) ++exchange.waits;
    back_off(now, exchange);
    constexpr unsigned held_kind = 0x80;
    const auto width = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(waited)));
    set_timer(now, index, static_cast<std::uint8_t>(held_kind | width), [&] {
        const Duration first = context_.interval(peer, exchange.backoffs, data_timeouts),
                       longest = context_.interval(peer, backoffs_max, data_timeouts);
        return std::max(first, std::min(Duration{1} << (width - 1), longest));
    });
}

void Sender::back_off(Instant now, Exchange& exchange) {
    const Instant answered_at = context_.peers[exchange.peer].confirmed_at;
    exchange.backoffs =
        static_cast<std::uint8_t>(backoffs_of_resend(exchange.backoffs, answered_at, exchange.sent_at, now));
}

}  // namespace ringpost::gtudp
