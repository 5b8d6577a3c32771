#pragma once

#include <algorithm>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

#include "codec/base/chunk_pool.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/exchange_table.hpp"
#include "codec/gtudp/index_list.hpp"
#include "codec/gtudp/shared_timers.hpp"
#include "codec/gtudp/windows.hpp"

namespace ringpost::gtudp {

/// The sending half of an Endpoint: sends DATA until a RECV arrives or the exchange ends, and answers RECVs with ACKs.
class Sender {
  public:
    /// `context` belongs to the endpoint and must outlive this object.
    explicit Sender(Context& context);

    std::expected<ExchangeId, Refusal> send(Instant now, const Address& to, std::span<const std::byte> data,
                                            Instant deadline, Origin origin);
    bool cancel(ExchangeId id);
    void close() { closed_ = true; }

    void on_recv(Instant now, Arrival& arrival, Identity identity);
    /// After the last RECV of a train, if any of them has confirmed something.
    void on_confirmed(Instant now, const Arrival& arrival);
    void expire(Instant now);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    std::size_t acks_queued() const { return std::size_t{acks_count_} + unknown_acks_.size(); }
    std::optional<Transmit> poll_acks(std::span<std::byte> out);
    std::optional<Transmit> poll_resends(Instant now, std::span<std::byte> out) { return poll(now, out, resends_); }
    /// What windows that have grown, or emptied, no longer hold up.
    std::optional<Transmit> poll_held(Instant now, std::span<std::byte> out);
    std::optional<Transmit> poll_fresh(Instant now, std::span<std::byte> out) { return poll(now, out, fresh_); }

    /// Takes the next ended exchange and frees its index. Requires has_ended().
    bool has_ended() const { return !ended_.empty(); }
    void take_ended(Address& peer, ExchangeId& id, Outcome& outcome, std::uint32_t& sends);

    std::size_t free_payload_bytes() const { return data_.free_bytes(); }
    /// Exchanges without an outcome yet.
    std::uint32_t in_flight() const { return exchanges_.size() - ended_.size(); }

  private:
    enum class Wait : std::uint8_t {
        fresh,       ///< in fresh_, never sent
        confirming,  ///< sent; the timer is the next retransmission or the deadline
        resending,   ///< in resends_
        held,        ///< in windows_
        ended,       ///< in ended_
    };

    /// 32 bytes; with 8 bytes of buckets and its part of a shared timer this makes 41 to 80 per exchange.
    struct Exchange {
        PeerIndex peer = none;
        Identity identity = 0;
        ExchangeIndex chained = none;
        ChunkPool::Chunk data = ChunkPool::nothing;
        TimerIndex timer = none;
        Stamp sent_at = 0;  ///< last; while held before the first time, since when
        std::uint16_t data_bytes = 0;
        std::uint8_t sends = 0;  ///< and those withheld; 255: or more
        std::uint8_t backoffs = 0;
        std::uint8_t waits = 0;  ///< intervals that passed while it was held and its peer silent; 255: or more
        Wait wait = Wait::fresh;
        bool limited : 1 = false;    ///< has a deadline: in deadlines_
        bool unproven : 1 = false;   ///< in unproven_
        bool withheld : 1 = false;   ///< each time so far: it has never left
        bool in_flight : 1 = false;  ///< counted in windows_
    };
    static_assert(sizeof(Exchange) == 32 && limits::datagram_bytes_max <= UINT16_MAX);

    struct Ended {
        ExchangeIndex index;
        Outcome outcome;
    };

    /// ACKs of consecutive identities. Holds its peer.
    struct Acks {
        PeerIndex peer;
        Identity first;
        std::uint32_t count;
    };

    struct UnknownAck {
        Address address;
        LocalPath path;
        Identity identity;
    };

    std::optional<Refusal> refusal(std::size_t bytes) const;
    std::optional<Refusal> refusal(const Peer& peer, std::size_t bytes) const;
    std::expected<ExchangeId, Refusal> refuse(Refusal refusal);
    bool displace_unproven(PeerIndex newcomer, std::size_t bytes);
    void leave_unproven(ExchangeIndex index);
    Identity next_identity(PeerIndex peer);
    void expire_one(Instant now, ExchangeIndex index);
    void end(ExchangeIndex index, Outcome outcome);
    bool acknowledge(PeerIndex peer, Identity identity);
    void acknowledge_unknown(Instant now, const Datagram& in, PeerIndex peer, Identity identity);
    std::optional<Transmit> poll_unknown_acks(std::span<std::byte> out);
    bool add_ack(TrainWriter& train, Identity identity);
    std::optional<Transmit> poll(Instant now, std::span<std::byte> out, RingQueue<ExchangeIndex>& queue);
    bool withhold(Instant now, ExchangeIndex index);
    bool add_data(Instant now, ExchangeIndex index, TrainWriter& train);
    void leave_flight(Exchange& exchange);
    void lose(Instant now, Exchange& exchange);
    std::size_t flight_bytes(const Exchange& exchange) const {
        return context_.peers[exchange.peer].with_headers(context_.options.codec.data_frame_bytes(exchange.data_bytes));
    }
    void hold(Instant now, ExchangeIndex index);
    void give_up(Instant now, ExchangeIndex index);
    void count_send(Instant now, ExchangeIndex index);
    void back_off(Instant now, Exchange& exchange);
    void wait_longer(Instant now, ExchangeIndex index);
    /// The time since it was first sent or withheld.
    Duration tried_for(Instant now, ExchangeIndex index) const {
        const Exchange& exchange = exchanges_[index];
        return since(exchange.sends > 1 ? first_sent_at_[index] : exchange.sent_at, now);
    }
    bool patience_over(Instant now, ExchangeIndex index) const;

    /// Of the next retransmission, or the deadline if that is earlier.
    void set_timer(Instant now, ExchangeIndex index) {
        const Exchange& exchange = exchanges_[index];
        const Peer& peer = context_.peers[exchange.peer];
        const std::uint8_t backoffs = exchange.sends > 1 ? exchange.backoffs : peer.backoffs;
        set_timer(now, index, backoffs, [&] { return context_.interval(peer, backoffs, data_timeouts); });
    }
    /// The same after interval(); see SharedTimers::set().
    template <class Interval>
    void set_timer(Instant now, ExchangeIndex index, std::uint8_t kind, Interval&& interval) {
        Exchange& exchange = exchanges_[index];
        clear_timer(exchange);
        if (exchange.limited) return set_timer_alone(std::min(now + interval(), deadlines_[index]), index);
        exchange.timer = timers_.set(now, exchange.peer, exchange.identity, kind, interval);
    }
    void set_timer_alone(Instant at, ExchangeIndex index) {
        Exchange& exchange = exchanges_[index];
        clear_timer(exchange);
        exchange.timer = timers_.set_alone(at, exchange.peer, exchange.identity);
    }
    void clear_timer(Exchange& exchange) {
        if (exchange.timer == none) return;
        timers_.clear(exchange.timer, exchange.identity);
        exchange.timer = none;
    }

    static constexpr int data_timeouts = 2;

    Context& context_;
    ExchangeTable<Exchange> exchanges_;
    ChunkPool data_;
    SharedTimers timers_;
    RingQueue<ExchangeIndex> fresh_, resends_;
    RingQueue<Ended> ended_;
    std::unique_ptr<Stamp[]> first_sent_at_;  ///< by ExchangeIndex, of those sent more than once
    std::unique_ptr<Instant[]> deadlines_;    ///< by ExchangeIndex, of those that have one
    /// Replies to peers that were not verified at the time, and the payload memory that they hold.
    IndexList unproven_;
    Windows windows_;
    std::size_t unproven_bytes_ = 0;
    RingQueue<Acks> acks_;
    std::uint32_t acks_count_ = 0;  ///< in acks_
    RingQueue<UnknownAck> unknown_acks_;
    Identity next_identity_;
    bool closed_ = false;
    std::uint32_t unknown_credit_;  ///< shared credit for ACKs to addresses that are not verified peers
    Instant unknown_credit_at_;
};

}  // namespace ringpost::gtudp
