#include "codec/gtudp/peer_table.hpp"

#include <bit>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {

PeerTable::PeerTable(std::uint32_t capacity, const SipKey& key, SocketIndex default_socket)
    : key_(key), default_socket_(default_socket), buckets_(std::size_t{capacity} * 2), mask_(capacity * 2 - 1) {
    RINGPOST_CHECK(std::has_single_bit(capacity) && capacity <= 1u << 30);
    peers_.reserve(capacity);
}

/// The lowest bits choose the bucket. The upper half is the peer's identity_offset; it cannot be computed
/// without the secret key, and is independent of that of any other address.
std::uint64_t PeerTable::hash_of(const Address& address) const {
    return siphash(key_, std::as_bytes(std::span<const Address, 1>(&address, 1)));
}

PeerIndex PeerTable::find_in_buckets(const Address& address, std::uint64_t hash) const {
    PeerIndex index = buckets_[hash & mask_];
    while (index != none && peers_[index].address != address) index = peers_[index].chained;
    if (index != none) latest_ = index;
    return index;
}

PeerIndex PeerTable::find_or_insert(const Address& address) {
    const bool is_latest = latest_ != none && peers_[latest_].address == address;
    const std::uint64_t hash = is_latest ? 0 : hash_of(address);
    const PeerIndex known = is_latest ? latest_ : find_in_buckets(address, hash);
    if (known == none) return insert(address, hash);
    if (peers_[known].holds == 0 && known != idle_newest_) {
        unlink_idle(known);
        link_idle(known);
    }
    return known;
}

PeerIndex PeerTable::insert(const Address& address, std::uint64_t hash) {
    if (full() && idle_oldest_ != none) evict_oldest();
    if (full()) return none;
    const PeerIndex index = take_free();
    Peer& peer = peers_[index];
    peer = Peer{};
    peer.address = address;
    peer.identity_offset = static_cast<Identity>(hash >> 32);
    peer.path.socket = default_socket_;
    peer.chained = buckets_[hash & mask_];
    buckets_.set(hash & mask_, index);
    link_idle(index);
    ++size_;
    latest_ = index;
    return index;
}

PeerIndex PeerTable::take_free() {
    const PeerIndex index = free_;
    if (index == none) {
        peers_.emplace_back();
        return static_cast<PeerIndex>(peers_.size() - 1);
    }
    free_ = peers_[index].chained;
    return index;
}

void PeerTable::evict_oldest() {
    const PeerIndex index = idle_oldest_;
    Peer& peer = peers_[index];
    unlink_idle(index);
    const std::uint64_t head = hash_of(peer.address) & mask_;
    if (buckets_[head] == index) {
        buckets_.set(head, peer.chained);
    } else {
        PeerIndex before = buckets_[head];
        while (peers_[before].chained != index) before = peers_[before].chained;
        peers_[before].chained = peer.chained;
    }
    peer.address = Address{};
    peer.chained = free_;
    free_ = index;
    if (latest_ == index) latest_ = none;
    --size_;
    ++evictions_;
}

void PeerTable::link_idle(PeerIndex index) {
    peers_[index].newer = none;
    peers_[index].older = idle_newest_;
    (idle_newest_ == none ? idle_oldest_ : peers_[idle_newest_].newer) = index;
    idle_newest_ = index;
}

void PeerTable::unlink_idle(PeerIndex index) {
    const Peer& peer = peers_[index];
    (peer.newer == none ? idle_newest_ : peers_[peer.newer].older) = peer.older;
    (peer.older == none ? idle_oldest_ : peers_[peer.older].newer) = peer.newer;
}

}  // namespace ringpost::gtudp
