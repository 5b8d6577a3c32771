#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/reflection.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/gtudp/exchange_table.hpp"
#include "codec/recovery/rtt.hpp"

namespace ringpost::gtudp {

/// Send times for round-trip measurement, in units of 1.024 us. They wrap after 73 minutes, longer than any exchange
/// waits for a reply.
using Stamp = std::uint32_t;
inline Stamp stamp_of(Instant at) { return static_cast<Stamp>(at >> 10); }
inline Duration since(Stamp stamp, Instant now) { return Duration{stamp_of(now) - stamp} << 10; }

/// State for one address. A peer with holds stays in the table. A peer without holds is kept as long as there is space;
/// the least recently used one is evicted first.
struct alignas(64) Peer {
    // The first cache line holds what every datagram touches.
    Address address;
    std::uint32_t sends = 0;     ///< exchanges in flight to it
    std::uint32_t receives = 0;  ///< received exchanges that are awaiting an ACK or remembered
    /// Remembered exchanges of this peer, in the order in which they were completed.
    ExchangeIndex remembered_oldest = none, remembered_newest = none;
    /// The peer has sent a RECV for a DATA of ours in flight. The identity of that DATA cannot be guessed, so the
    /// address is not spoofed.
    bool verified = false;
    /// The peer has sent an ACK for a RECV of ours. It chose that identity itself, so this proves nothing about the
    /// address; it only matters for eviction.
    bool acknowledged = false;
    bool has_window = false;     ///< its window (Windows) is that of this peer, not of one before
    bool path_known = false;     ///< `path` is that of a datagram from the peer
    std::uint8_t hop_limit = 0;  ///< of datagrams to it: that of its last one minus one; 0: the socket's own
    std::uint8_t backoffs = 0;   ///< of first intervals: see Context::note_expired()
    std::uint32_t holds = 0;     ///< used by the table
    PeerIndex chained = none;
    /// Added to the endpoint's counter of identities: unguessable for anybody else.
    Identity identity_offset = 0;
    /// Bytes that may be sent to the peer until it is verified: amplification_max times those received from it, less
    /// those sent to it, with IP and UDP headers. Only may_send(), count_sent() and count_received() use it.
    std::uint32_t budget = 0;
    std::uint32_t payload_bytes = 0;  ///< of the exchanges in flight to it

    PeerIndex newer = none, older = none;  ///< used by the table: list of peers without holds
    recovery::Rtt rtt;
    /// Time of the last RECV and the last ACK from this peer.
    Instant confirmed_at = std::numeric_limits<Instant>::min(), acked_at = std::numeric_limits<Instant>::min();
    /// ACKs that may be sent for unknown exchanges: one for each RECV that our confirmed exchanges can cause, and a
    /// number per second.
    std::uint32_t ack_credit = 0;
    Instant ack_credit_at = 0;
    LocalPath path;              ///< of the last datagram from this peer; datagrams to it use the same
    Stamp timeout_set_at = 0;    ///< when `rtt` or `backoffs` last changed
    Stamp answered_sent_at = 0;  ///< when the newest of the datagrams that were sent once and answered was sent

    static constexpr std::uint32_t amplification_max = 3;

    /// Whether a datagram of `bytes` may be sent to an address that may be spoofed.
    bool may_send(std::size_t bytes) const { return verified || with_headers(bytes) <= budget; }
    /// A datagram was sent for which may_send() was true.
    void count_sent(std::size_t bytes) {
        if (!verified) budget -= with_headers(bytes);
    }
    /// A valid frame was received.
    void count_received(std::size_t bytes) {
        if (verified) return;
        const std::uint32_t added = amplification_max * with_headers(bytes);
        budget += std::min(added, UINT32_MAX - budget);
    }
    std::uint32_t with_headers(std::size_t bytes) const {
        return static_cast<std::uint32_t>(bytes + header_bytes_of(address));
    }

    /// Datagrams to the peer leave from where this one arrived. Those of a train arrive alike, so the first is enough.
    /// While something is in flight to the peer its hop limit only falls, so that one datagram from elsewhere does not
    /// renew that of a loop.
    void note_path(const Datagram& in) {
        if (in.segment > 0 && path_known) return;
        path = in.path();
        const std::uint8_t next = next_hop_limit(in.hop_limit);
        if (sends == 0 || (next != 0 && next < hop_limit)) hop_limit = next;
        path_known = true;
    }

    /// Size of the IP and UDP headers of a datagram from or to `address` (RFC 791, 8200, 768). IPv4 is stored mapped.
    static std::size_t header_bytes_of(const Address& address) {
        constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        return std::memcmp(address.ip.data(), mapped.data(), mapped.size()) == 0 ? 20 + 8 : 40 + 8;
    }
};
// What follows payload_bytes is beyond the first cache line.
static_assert(sizeof(Peer) == 192 && alignof(Peer) == 64);

/// Table of peers by address, using a keyed hash. All operations are O(1). Nothing is allocated after construction. Not
/// thread-safe.
class PeerTable {
  public:
    /// `capacity` must be a power of two.
    PeerTable(std::uint32_t capacity, const SipKey& key, SocketIndex default_socket = 0);

    /// Prefetches a peer that will be used soon. Any index is valid.
    void prefetch(PeerIndex index) const { __builtin_prefetch(peers_.data() + (index & mask_ / 2), 1); }

    Peer& operator[](PeerIndex index) { return peers_[index]; }
    const Peer& operator[](PeerIndex index) const { return peers_[index]; }

    /// Returns `none` if the address is not in the table.
    PeerIndex find(const Address& address) const {
        if (latest_ != none && peers_[latest_].address == address) return latest_;
        return find_in_buckets(address, hash_of(address));
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
    bool all_held() const { return full() && idle_oldest_ == none; }
    /// Number of peers that have exchanges awaiting an ACK or remembered: the verified ones, those that are verified or
    /// have acknowledged a RECV, and the others.
    std::uint32_t verified_receiving() const { return verified_receiving_; }
    std::uint32_t acknowledged_receiving() const { return acknowledged_receiving_; }
    std::uint32_t unknown_receiving() const { return receiving_ - acknowledged_receiving_; }
    /// Of an exchange that holds the peer.
    void add_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (peer.receives++ == 0) count_receiving(peer, 1);
        if (peer.holds++ == 0) unlink_idle(index);
    }
    void remove_receive(PeerIndex index) {
        Peer& peer = peers_[index];
        if (--peer.receives == 0) count_receiving(peer, UINT32_MAX);
        if (--peer.holds == 0) link_idle(index);
    }
    void mark_verified(PeerIndex index) { mark(peers_[index], true); }
    void mark_acknowledged(PeerIndex index) { mark(peers_[index], peers_[index].verified); }
    std::uint32_t size() const { return size_; }
    std::uint64_t evictions() const { return evictions_; }

  private:
    bool full() const { return size_ == mask_ / 2 + 1; }
    /// An evicted peer or, if there is none, one that was never used. The table must not be full.
    PeerIndex take_free();
    std::uint64_t hash_of(const Address& address) const;
    PeerIndex find_in_buckets(const Address& address, std::uint64_t hash) const;
    PeerIndex find_or_insert(const Address& address);
    PeerIndex insert(const Address& address, std::uint64_t hash);
    /// Adds `change` (1, or UINT32_MAX for -1) to the numbers that the peer counts for.
    void count_receiving(const Peer& peer, std::uint32_t change) {
        receiving_ += change;
        if (peer.verified) verified_receiving_ += change;
        if (peer.verified || peer.acknowledged) acknowledged_receiving_ += change;
    }
    void mark(Peer& peer, bool verified) {
        if (peer.acknowledged && peer.verified == verified) return;
        if (peer.receives > 0) count_receiving(peer, UINT32_MAX);
        peer.acknowledged = true;
        peer.verified = verified;
        if (peer.receives > 0) count_receiving(peer, 1);
    }
    void link_idle(PeerIndex index);
    void unlink_idle(PeerIndex index);
    void evict_oldest();

    SipKey key_;
    SocketIndex default_socket_;
    ReservedVector<Peer> peers_;  ///< those used so far; never grows beyond its reserved size
    IndexArray buckets_;
    std::uint32_t mask_;
    PeerIndex free_ = none, idle_newest_ = none, idle_oldest_ = none;
    std::uint32_t size_ = 0, receiving_ = 0, verified_receiving_ = 0, acknowledged_receiving_ = 0;
    std::uint64_t evictions_ = 0;
    mutable PeerIndex latest_ = none;  ///< the last match; the datagrams of a train come from one peer
};

}  // namespace ringpost::gtudp
