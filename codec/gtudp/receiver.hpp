#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "codec/base/ring_queue.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/exchange_table.hpp"

namespace ringpost::gtudp {

/// The half of an Endpoint that takes DATA in once each, and sends RECVs until an ACK.
class Receiver {
  public:
    /// `context` stays the endpoint's and outlives it.
    explicit Receiver(Context& context);

    /// True when the DATA is new and has been taken: the caller delivers it, for which it has said that there is room.
    bool on_data(Instant now, const Datagram& in, Identity identity, bool app_has_room);
    void on_ack(Instant now, const Datagram& in, Identity identity);
    void expire(Instant now);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    /// All peers are held: forgets what unproven ones have sent, so that one may go; false when none could.
    bool make_room_for_peer();

    std::optional<Transmit> poll_recvs(Instant now, std::span<std::byte> out);

    std::uint32_t remembered() const { return exchanges_.size(); }

  private:
    enum class Wait : std::uint8_t {
        acknowledgement,  ///< its timer is when to send the RECV again
        remembering,      ///< remembered only; its timer is when to forget it
    };

    /// 32 bytes; a timer of 24 and the table's 8 beside it make 64.
    struct Exchange {
        PeerIndex peer = none;
        Identity identity = 0;
        ExchangeIndex chained = none;
        ExchangeIndex older = none, newer = none;  ///< remembered ones of the same peer
        Stamp sent_at = 0;
        std::uint8_t sends = 0;
        std::uint8_t backoffs = 0;
        Wait wait = Wait::acknowledgement;
        bool queued = false;  ///< in recvs_
    };
    static_assert(sizeof(Exchange) <= 32);

    PeerIndex admit(Instant now, const Datagram& in, Identity identity, bool app_has_room);
    void repeat(Instant now, ExchangeIndex index);
    bool make_room(PeerIndex newcomer);
    std::uint32_t half_share() const;
    bool can_lose(ExchangeIndex index) const;
    ExchangeIndex move_hand();
    void queue_recv(Instant now, ExchangeIndex index);
    bool within_budget(Peer& peer);
    void count_send(Instant now, Exchange& exchange);
    void expire_one(Instant now, ExchangeIndex index);
    void remember(Instant now, ExchangeIndex index);
    void forget(ExchangeIndex index);
    void forget_oldest_of(PeerIndex peer);
    void set_timer(Instant now, ExchangeIndex index);

    Context& context_;
    ExchangeTable<Exchange> exchanges_;
    TimerWheel timers_;
    RingQueue<ExchangeIndex> recvs_;
    ExchangeIndex hand_ = 0;  ///< the next place to be given up
};

}  // namespace ringpost::gtudp
