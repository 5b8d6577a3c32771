#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "codec/base/ring_queue.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/exchange_table.hpp"

namespace ringpost::gtudp {

/// The receiving half of an Endpoint: accepts each DATA once and sends RECVs until an ACK arrives.
class Receiver {
  public:
    /// `context` belongs to the endpoint and must outlive this object.
    explicit Receiver(Context& context);

    /// Returns true if the DATA is new and accepted. The caller must then deliver it; `app_has_room` states that it
    /// can.
    bool on_data(Instant now, const Datagram& in, Identity identity, bool app_has_room);
    void on_ack(Instant now, const Datagram& in, Identity identity);
    void expire(Instant now);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    /// Evicts exchanges of peers that are not verified until a peer can be evicted. Returns false if that failed.
    bool make_space_for_peer();

    std::optional<Transmit> poll_recvs(Instant now, std::span<std::byte> out);

    std::uint32_t remembered() const { return exchanges_.size(); }

  private:
    enum class Wait : std::uint8_t {
        awaiting_ack,  ///< the timer is the next RECV
        remembered,    ///< the timer is the expiry
    };

    /// 32 bytes; with a timer of 24 bytes and 8 bytes of buckets this makes 64 per exchange.
    struct Exchange {
        PeerIndex peer = none;
        Identity identity = 0;
        ExchangeIndex chained = none;
        ExchangeIndex older = none, newer = none;  ///< remembered exchanges of the same peer
        Stamp sent_at = 0;
        std::uint8_t sends = 0;
        std::uint8_t backoffs = 0;
        Wait wait = Wait::awaiting_ack;
        bool queued = false;  ///< in recvs_
    };
    static_assert(sizeof(Exchange) <= 32);

    PeerIndex admit(Instant now, const Datagram& in, Identity identity, bool app_has_room);
    void on_duplicate(Instant now, ExchangeIndex index);
    bool make_space(PeerIndex newcomer);
    bool refuses(const Peer& peer) const;
    std::uint32_t half_share(const Peer& peer) const;
    enum class Eviction : std::uint8_t { never, last, at_once };
    Eviction eviction_of(ExchangeIndex index) const;
    void forget(ExchangeIndex index);
    void forget_with_remembered(ExchangeIndex index);
    ExchangeIndex advance_hand();
    void queue_recv(Instant now, ExchangeIndex index);
    void count_send(Instant now, Exchange& exchange);
    void expire_one(Instant now, ExchangeIndex index);
    void remember(Instant now, ExchangeIndex index);
    void erase(ExchangeIndex index);
    void set_timer(Instant now, ExchangeIndex index);

    Context& context_;
    ExchangeTable<Exchange> exchanges_;
    TimerWheel timers_;
    RingQueue<ExchangeIndex> recvs_;
    ExchangeIndex hand_ = 0;  ///< the next place to consider for eviction
};

}  // namespace ringpost::gtudp
