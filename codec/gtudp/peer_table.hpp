#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/siphash.hpp"
#include "codec/gtudp/exchange_table.hpp"
#include "codec/gtudp/rtt.hpp"

namespace ringpost::gtudp {

/// What is known of one address. A peer that somebody holds stays; one that nobody holds is kept as long as there is
/// room, the least recently used going first.
struct alignas(64) Peer {
    // The first cache line is what every datagram touches.
    Address address;
    std::uint32_t sends = 0;     ///< exchanges in flight to it
    std::uint32_t receives = 0;  ///< exchanges from it that are answered or remembered
    /// Remembered exchanges from it, in the order in which they were done with.
    ExchangeIndex remembered_oldest = none, remembered_newest = none;
    /// It has answered something of ours: it is no spoofed source.
    bool proven = false;

    // The table's own.
    std::uint32_t holds = 0;
    PeerIndex chained = none;
    PeerIndex newer = none, older = none;  ///< among those that nobody holds

    RttEstimator rtt;
    LocalPath path;  ///< on which it was last heard from
    /// When it last confirmed a DATA of ours, and acknowledged a RECV.
    Instant confirmed_at = std::numeric_limits<Instant>::min(), acked_at = std::numeric_limits<Instant>::min();
    std::uint64_t bytes_received = 0;     ///< while not proven
    std::uint64_t bytes_unsolicited = 0;  ///< sent as RECV while not proven
    /// ACKs for unknown exchanges it may still cause: what its confirmed exchanges may rightly cause, and so many a
    /// second.
    std::uint32_t ack_credit = 0;
    Instant ack_credit_at = 0;
};

/// Peers by address, found by a keyed hash. O(1), allocates nothing after construction, not thread-safe.
class PeerTable {
  public:
    /// `capacity` is a power of two (checked).
    PeerTable(std::uint32_t capacity, const SipKey& key, SocketIndex default_socket = 0);

    /// A hint that the peer will soon be used; any number will do.
    void prefetch(PeerIndex index) const { __builtin_prefetch(&peers_[index & (peers_.size() - 1)], 1); }

    Peer& operator[](PeerIndex index) { return peers_[index]; }
    const Peer& operator[](PeerIndex index) const { return peers_[index]; }

    /// The peer, or `none`.
    PeerIndex find(const Address& address) const {
        if (latest_ != none && peers_[latest_].address == address) return latest_;
        return look_up(address);
    }
    /// The peer, new if need be, in place of one that nobody holds if need be; `none` when all are held.
    PeerIndex acquire(const Address& address) {
        // One that is held has no place in the order of use.
        if (latest_ != none && peers_[latest_].holds > 0 && peers_[latest_].address == address) return latest_;
        return look_up_or_make(address);
    }
    /// Nobody can put another in its place until it is released as often.
    void hold(PeerIndex index) {
        if (peers_[index].holds++ == 0) unlink_idle(index);
    }
    void release(PeerIndex index) {
        if (--peers_[index].holds == 0) link_idle(index);
    }

    /// No acquire() of a new address can succeed.
    bool all_held() const { return free_ == none && idle_oldest_ == none; }
    /// Proven peers with an exchange that is answered or remembered.
    std::uint32_t proven_receiving() const { return proven_receiving_; }
    void count_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (peer.receives++ == 0 && peer.proven) ++proven_receiving_;
    }
    void uncount_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (--peer.receives == 0 && peer.proven) --proven_receiving_;
    }
    void prove(PeerIndex index) {
        Peer& peer = peers_[index];
        if (!peer.proven && peer.receives > 0) ++proven_receiving_;
        peer.proven = true;
    }
    std::uint32_t size() const { return size_; }
    std::uint64_t forgotten() const { return forgotten_; }

  private:
    std::uint32_t bucket(const Address& address) const;
    PeerIndex look_up(const Address& address) const;
    PeerIndex look_up_or_make(const Address& address);
    void link_idle(PeerIndex index);
    void unlink_idle(PeerIndex index);
    void forget_oldest();

    SipKey key_;
    SocketIndex default_socket_;
    std::vector<Peer> peers_;
    std::vector<PeerIndex> buckets_;
    std::uint32_t mask_;
    PeerIndex free_ = none, idle_newest_ = none, idle_oldest_ = none;
    std::uint32_t size_ = 0, proven_receiving_ = 0;
    std::uint64_t forgotten_ = 0;
    mutable PeerIndex latest_ = none;  ///< found last: trains come from one peer
};

}  // namespace ringpost::gtudp
