#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "codec/base/ring_queue.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/exchange_table.hpp"
#include "codec/gtudp/shared_timers.hpp"

namespace ringpost::gtudp {

/// The receiving half of an Endpoint: accepts each DATA once and sends RECVs until an ACK arrives.
class Receiver {
  public:
    /// `context` belongs to the endpoint and must outlive this object.
    explicit Receiver(Context& context);

    /// Returns true if the DATA is new and accepted. The caller must then deliver it; `app_has_room` states that it
    /// can.
    bool on_data(Instant now, Arrival& arrival, std::size_t bytes, Identity identity, bool app_has_room);
    void on_ack(Instant now, Arrival& arrival, Identity identity);
    void expire(Instant now);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    /// Evicts exchanges of peers that are not verified until a peer can be evicted. Returns false if that failed.
    bool make_space_for_peer();

    std::optional<Transmit> poll_recvs(Instant now, std::span<std::byte> out);

    std::uint32_t remembered() const { return exchanges_.size(); }
    std::uint32_t awaiting_acks() const { return awaiting_acks_; }

  private:
    enum class Wait : std::uint8_t {
        awaiting_ack,  ///< the timer is the next RECV
        remembered,    ///< the timer is the expiry
    };

    /// 32 bytes; with 8 bytes of buckets and its part of a shared timer this makes 41 to 80 per exchange.
    struct Exchange {
        PeerIndex peer = none;
        Identity identity = 0;
        ExchangeIndex chained = none;
        ExchangeIndex older = none, newer = none;  ///< remembered exchanges of the same peer
        TimerIndex timer = none;
        Stamp sent_at = 0;
        std::uint8_t sends = 0;
        std::uint8_t backoffs = 0;
        Wait wait = Wait::awaiting_ack;
        bool queued : 1 = false;        ///< in recvs_
        bool by_duplicate : 1 = false;  ///< the last RECV answered a repeated DATA, sooner than its timer
    };
    static_assert(sizeof(Exchange) <= 32);

    bool find_peer(Arrival& arrival);
    bool admit(Instant now, Arrival& arrival, std::size_t bytes, Identity identity, bool app_has_room);
    void on_duplicate(Instant now, ExchangeIndex index);
    bool make_space(PeerIndex newcomer);
    bool refuses(const Peer& peer) const;
    bool has_half_share(const Peer& peer) const;
    enum class Eviction : std::uint8_t { never, last, at_once };
    Eviction eviction_of(ExchangeIndex index) const;
    void forget(ExchangeIndex index);
    void forget_with_remembered(ExchangeIndex index);
    ExchangeIndex advance_hand();
    void withhold_recv(Instant now, Exchange& exchange);
    void count_send(Instant now, Exchange& exchange);
    void expire_one(Instant now, ExchangeIndex index);
    void remember(Instant now, ExchangeIndex index);
    void erase(ExchangeIndex index);

    // Here so that they are inlined: each message passes them twice.

    void queue_recv(Instant now, ExchangeIndex index) {
        Exchange& exchange = exchanges_[index];
        Peer& peer = context_.peers[exchange.peer];
        const std::size_t bytes = context_.options.codec.header_bytes();
        if (!peer.may_send(bytes) || !recvs_.push(index)) return withhold_recv(now, exchange);
        peer.count_sent(bytes);
        exchange.queued = true;
        clear_timer(exchange);
    }
    /// Schedules the retransmission of the RECV, or the expiry of the remembered exchange.
    void set_timer(Instant now, Exchange& exchange) {
        clear_timer(exchange);
        const bool waits = exchange.wait == Wait::awaiting_ack;
        const Peer& peer = context_.peers[exchange.peer];
        const std::uint8_t backoffs = exchange.sends > 1 ? exchange.backoffs : peer.backoffs;
        const std::uint8_t kind = waits ? backoffs : remembered_kind;
        exchange.timer = timers_.set(now, exchange.peer, exchange.identity, kind, [&] {
            return waits ? context_.interval(peer, backoffs, recv_timeouts) : context_.options.remembered;
        });
    }
    void clear_timer(Exchange& exchange) {
        if (exchange.timer == none) return;
        timers_.clear(exchange.timer, exchange.identity);
        exchange.timer = none;
    }

    static constexpr int recv_timeouts = 1;
    static constexpr std::uint8_t remembered_kind = UINT8_MAX;  ///< of timers; those of RECVs are by their back-offs

    Context& context_;
    ExchangeTable<Exchange> exchanges_;
    SharedTimers timers_;
    RingQueue<ExchangeIndex> recvs_;
    std::uint32_t awaiting_acks_ = 0;  ///< number of exchanges with Wait::awaiting_ack
    ExchangeIndex hand_ = 0;           ///< the next place to consider for eviction
};

}  // namespace ringpost::gtudp
