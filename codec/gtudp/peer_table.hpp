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

/// State for one address. A peer with holds stays in the table. A peer without holds is kept as long as there is space;
/// the least recently used one is evicted first.
struct alignas(64) Peer {
    // The first cache line holds what every datagram touches.
    Address address;
    std::uint32_t sends = 0;     ///< exchanges in flight to it
    std::uint32_t receives = 0;  ///< received exchanges that are awaiting an ACK or remembered
    /// Remembered exchanges of this peer, in the order in which they were completed.
    ExchangeIndex remembered_oldest = none, remembered_newest = none;
    /// The peer has replied to a datagram of ours, so its address is not spoofed.
    bool verified = false;
    bool path_known = false;  ///< `path` is that of a datagram from the peer

    // Used by the table.
    std::uint32_t holds = 0;
    PeerIndex chained = none;
    PeerIndex newer = none, older = none;  ///< list of peers without holds

    RttEstimator rtt;
    /// Time of the last RECV and the last ACK from this peer.
    Instant confirmed_at = std::numeric_limits<Instant>::min(), acked_at = std::numeric_limits<Instant>::min();
    std::uint64_t bytes_received = 0;     ///< while not verified
    std::uint64_t bytes_unsolicited = 0;  ///< RECVs sent while not verified
    /// ACKs that may be sent for unknown exchanges: one for each RECV that our confirmed exchanges can cause, and a
    /// number per second.
    std::uint32_t ack_credit = 0;
    Instant ack_credit_at = 0;
    LocalPath path;  ///< of the last datagram from this peer; datagrams to it use the same

    /// Datagrams to the peer leave from where this one arrived. Those of a train arrive alike, so the first is enough.
    void note_path(const Datagram& in) {
        if (in.segment > 0 && path_known) return;
        path = in.path();
        path_known = true;
    }
};

/// Table of peers by address, using a keyed hash. All operations are O(1). Nothing is allocated after construction. Not
/// thread-safe.
class PeerTable {
  public:
    /// `capacity` must be a power of two.
    PeerTable(std::uint32_t capacity, const SipKey& key, SocketIndex default_socket = 0);

    /// Prefetches a peer that will be used soon. Any index is valid.
    void prefetch(PeerIndex index) const { __builtin_prefetch(&peers_[index & (peers_.size() - 1)], 1); }

    Peer& operator[](PeerIndex index) { return peers_[index]; }
    const Peer& operator[](PeerIndex index) const { return peers_[index]; }

    /// Returns `none` if the address is not in the table.
    PeerIndex find(const Address& address) const {
        if (latest_ != none && peers_[latest_].address == address) return latest_;
        return find_in_buckets(address);
    }
    /// Finds or inserts a peer, evicting one without holds if necessary. Returns `none` if all peers have holds.
    PeerIndex acquire(const Address& address) {
        // Peers with holds are not in the order of use, so it needs no update.
        if (latest_ != none && peers_[latest_].holds > 0 && peers_[latest_].address == address) return latest_;
        return find_or_insert(address);
    }
    /// Prevents eviction of the peer until each hold has been released.
    void hold(PeerIndex index) {
        if (peers_[index].holds++ == 0) unlink_idle(index);
    }
    void release(PeerIndex index) {
        if (--peers_[index].holds == 0) link_idle(index);
    }

    /// Whether acquire() would fail for a new address.
    bool all_held() const { return free_ == none && idle_oldest_ == none; }
    /// Number of verified peers that have exchanges awaiting an ACK or remembered.
    std::uint32_t verified_receiving() const { return verified_receiving_; }
    void add_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (peer.receives++ == 0 && peer.verified) ++verified_receiving_;
    }
    void remove_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (--peer.receives == 0 && peer.verified) --verified_receiving_;
    }
    void mark_verified(PeerIndex index) {
        Peer& peer = peers_[index];
        if (!peer.verified && peer.receives > 0) ++verified_receiving_;
        peer.verified = true;
    }
    std::uint32_t size() const { return size_; }
    std::uint64_t evictions() const { return evictions_; }

  private:
    std::uint32_t bucket(const Address& address) const;
    PeerIndex find_in_buckets(const Address& address) const;
    PeerIndex find_or_insert(const Address& address);
    void link_idle(PeerIndex index);
    void unlink_idle(PeerIndex index);
    void evict_oldest();

    SipKey key_;
    SocketIndex default_socket_;
    std::vector<Peer> peers_;
    std::vector<PeerIndex> buckets_;
    std::uint32_t mask_;
    PeerIndex free_ = none, idle_newest_ = none, idle_oldest_ = none;
    std::uint32_t size_ = 0, verified_receiving_ = 0;
    std::uint64_t evictions_ = 0;
    mutable PeerIndex latest_ = none;  ///< the last match; the datagrams of a train come from one peer
};

}  // namespace ringpost::gtudp
