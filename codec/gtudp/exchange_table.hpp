#pragma once

// A hash table of exchanges, keyed by peer and identity.
//
// Senders usually count identities up, as ours does. The keyed hash therefore covers the peer and the identity's block
// of 128; within a block, consecutive identities map to consecutive buckets. With a million exchanges, memory is
// accessed in order rather than at random, and the hash is computed once per block. Choosing identities gains an
// attacker nothing: the 128 that share a hash have 128 buckets.
//
// Chaining rather than open addressing: 4 bytes of link and 8 bytes of buckets per exchange, and erasing moves nothing.

#include <bit>
#include <cstdint>
#include <span>

#include "codec/base/check.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/gtudp/frame.hpp"

namespace ringpost::gtudp {

/// Indices into the endpoint's PeerTable and into an ExchangeTable.
using PeerIndex = std::uint32_t;
using ExchangeIndex = std::uint32_t;
inline constexpr std::uint32_t none = 0xffff'ffff;

/// `Exchange` has public members `PeerIndex peer`, `Identity identity` and `ExchangeIndex chained`, which belong to the
/// table, and any others. Exchanges never move. All operations are O(1) on average, whatever a peer sends, as long as
/// the SipKey is secret. Nothing is allocated after construction. Not thread-safe.
template <class Exchange>
class ExchangeTable {
  public:
    /// `capacity` must be a power of two, at most 2^30.
    ExchangeTable(std::uint32_t capacity, const SipKey& key)
        : key_(key), buckets_(std::size_t{capacity} * 2), mask_(capacity * 2 - 1) {
        RINGPOST_CHECK(std::has_single_bit(capacity) && capacity <= 1u << 30);
        exchanges_.reserve(capacity);
    }

    Exchange& operator[](ExchangeIndex index) { return exchanges_[index]; }
    const Exchange& operator[](ExchangeIndex index) const { return exchanges_[index]; }
    bool holds(ExchangeIndex index) const { return index < exchanges_.size() && exchanges_[index].peer != none; }

    /// Prefetches an exchange that will be used soon.
    void prefetch(ExchangeIndex index) const { __builtin_prefetch(exchanges_.data() + index, 1); }

    std::uint32_t size() const { return size_; }
    std::uint32_t capacity() const { return mask_ / 2 + 1; }
    bool full() const { return size_ == capacity(); }

    /// Returns `none` if there is no such exchange.
    ExchangeIndex find(PeerIndex peer, Identity identity) const {
        ExchangeIndex index = buckets_[bucket(peer, identity, finding_)];
        while (index != none && (exchanges_[index].identity != identity || exchanges_[index].peer != peer))
            index = exchanges_[index].chained;
        return index;
    }

    /// Inserts a value-initialised exchange; the key must not be present. Returns `none` if the table is full.
    ExchangeIndex insert(PeerIndex peer, Identity identity) {
        if (full()) return none;
        const ExchangeIndex index = take_free();
        const std::uint32_t head = bucket(peer, identity, inserting_);
        Exchange& exchange = exchanges_[index];
        exchange = Exchange{};
        exchange.peer = peer;
        exchange.identity = identity;
        exchange.chained = buckets_[head];
        buckets_.set(head, index);
        ++size_;
        return index;
    }

    void erase(ExchangeIndex index) {
        Exchange& exchange = exchanges_[index];
        const std::uint32_t head = bucket(exchange.peer, exchange.identity, erasing_);
        if (buckets_[head] == index) {
            buckets_.set(head, exchange.chained);
        } else {
            ExchangeIndex before = buckets_[head];
            while (exchanges_[before].chained != index) before = exchanges_[before].chained;
            exchanges_[before].chained = exchange.chained;
        }
        exchange.peer = none;
        exchange.chained = free_;
        free_ = index;
        --size_;
    }

  private:
    static constexpr unsigned block_bits = 7;

    /// The block that was hashed last, with its hash. Each kind of operation keeps its own, since each advances through
    /// the blocks separately.
    struct Hashed {
        std::uint64_t block = ~0ull;
        std::uint32_t hash = 0;
    };

    /// An erased exchange or, if there is none, one that was never used. The table must not be full.
    ExchangeIndex take_free() {
        const ExchangeIndex index = free_;
        if (index == none) {
            exchanges_.emplace_back();
            return static_cast<ExchangeIndex>(exchanges_.size() - 1);
        }
        free_ = exchanges_[index].chained;
        return index;
    }

    std::uint32_t bucket(PeerIndex peer, Identity identity, Hashed& last) const {
        const std::uint64_t block = std::uint64_t{peer} << 32 | identity >> block_bits;
        if (block != last.block) {
            last.block = block;
            last.hash =
                static_cast<std::uint32_t>(siphash(key_, std::as_bytes(std::span<const std::uint64_t, 1>(&block, 1))));
        }
        return (last.hash + (identity & ((1u << block_bits) - 1))) & mask_;
    }

    SipKey key_;
    ReservedVector<Exchange> exchanges_;  ///< those used so far; never grows beyond its reserved size
    IndexArray buckets_;
    std::uint32_t mask_;
    ExchangeIndex free_ = none;
    std::uint32_t size_ = 0;
    mutable Hashed finding_;
    Hashed inserting_, erasing_;
};

}  // namespace ringpost::gtudp
