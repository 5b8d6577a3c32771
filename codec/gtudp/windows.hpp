#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/index_list.hpp"
#include "codec/recovery/congestion.hpp"

namespace ringpost::gtudp {

/// Congestion control for each peer: how many bytes of DATA may be in flight to it, IP and UDP headers included, and
/// the exchanges that wait for that. With CongestionControl::fixed nothing waits, and nothing is counted.
///
/// All operations are O(1). Memory is allocated at construction; that of a peer is touched when DATA is first sent to
/// it. Not thread-safe.
class Windows {
  public:
    explicit Windows(const Options& options);

    /// Whether a DATA of `bytes` to the peer must wait: its window is full, or others wait already.
    bool holds_up(Peer& peer, PeerIndex index, std::size_t bytes) {
        if (!enabled_) return false;
        if (!peer.has_window) begin(peer, index);
        return first_held(index) != none || !has_room(index, bytes);
    }
    /// Whether the window has space for `bytes`. A datagram larger than the window may be in flight alone.
    bool has_room(PeerIndex peer, std::size_t bytes) const {
        const Window& window = windows_[peer];
        return window.in_flight == 0 || window.in_flight + bytes <= window.bytes;
    }

    /// The exchange waits, behind the others of its peer of the same kind: those that are sent `again` go first.
    void hold(PeerIndex peer, ExchangeIndex exchange, bool again) {
        links_.push(again ? windows_[peer].again : windows_[peer].fresh, exchange);
    }
    /// The exchange does not wait any more.
    void release(PeerIndex peer, ExchangeIndex exchange, bool again) {
        links_.erase(again ? windows_[peer].again : windows_[peer].fresh, exchange);
    }
    /// The one that is next; `none` if there is none.
    ExchangeIndex first_held(PeerIndex peer) const {
        const Window& window = windows_[peer];
        return window.again.oldest != none ? window.again.oldest : window.fresh.oldest;
    }

    /// The one that has waited longest of those not sent yet.
    ExchangeIndex oldest_fresh(PeerIndex peer) const { return enabled_ ? windows_[peer].fresh.oldest : none; }

    /// A peer whose window may have space for exchanges that wait; `none` if there is none.
    PeerIndex open_peer() const { return open_.empty() ? none : open_.front(); }
    /// It has not, or nothing waits.
    void pass_peer() {
        windows_[open_.front()].open = false;
        open_.pop();
    }

    /// A DATA was sent. Returns whether it counts as in flight.
    bool on_sent(Instant now, PeerIndex peer, std::size_t bytes) {
        if (!enabled_) return false;
        Window& window = windows_[peer];
        window.in_flight += bytes;
        window.congestion.on_sent(now, number_of(now));
        return true;
    }
    /// It is in flight no longer: confirmed, which on_confirmed() follows, or given up.
    void leave(PeerIndex peer, std::size_t bytes) {
        windows_[peer].in_flight -= bytes;
        open(peer);
    }
    /// The RECVs of a train have confirmed this, and leave() was called for each. `rtt_sampled`: with a new sample.
    void on_confirmed(Instant now, PeerIndex peer, const Confirmed& confirmed, bool rtt_sampled,
                      const recovery::Rtt& rtt);
    /// A DATA that was sent at `sent_at` is lost. `persistent`: nothing came through for a long time.
    void on_lost(Instant now, PeerIndex peer, std::size_t bytes, Instant sent_at, bool persistent);
    /// The RECV of a DATA that had been called lost, and has not been sent again.
    void on_late(Instant now, PeerIndex peer);

  private:
    struct Window {
        recovery::Congestion congestion;
        std::uint64_t bytes;  ///< congestion.window()
        std::uint64_t in_flight;
        IndexLinks::List again, fresh;  ///< exchanges that wait
        bool open;                      ///< in open_
    };

    /// Datagrams have no numbers in the order of their sending; their times serve as such.
    static std::uint64_t number_of(Instant sent_at) { return static_cast<std::uint64_t>(sent_at); }
    void begin(Peer& peer, PeerIndex index);
    void open(PeerIndex peer) {
        Window& window = windows_[peer];
        if (window.open || first_held(peer) == none) return;
        window.open = open_.push(peer);
    }

    bool enabled_;
    ZeroedArray<Window> windows_;
    IndexLinks links_;
    RingQueue<PeerIndex> open_;
};

}  // namespace ringpost::gtudp
