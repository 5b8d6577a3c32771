#pragma once

// A fixed-capacity map that evicts the least recently touched entry when it is full.
//
// Entries live in one array and never move, so the address of a Value is stable. They are constructed when first
// needed, so unused memory is never touched. A second array with twice as many slots indexes them: each slot holds an
// entry's index and 32 bits of its hash, placed by linear probing from the slot given by those bits. With a load of at
// most one half, probes are short and always reach an empty slot. Deletion shifts the rest of the run back instead of
// leaving a tombstone, so lookups do not slow down over time. Recency is a doubly linked list through the entries by
// index; free entries use the same links.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "codec/base/check.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// All operations are O(1) on average, whatever keys a peer sends, as long as the SipKey is secret. Nothing is
/// allocated after construction. Key is compared and hashed as raw bytes and must have no padding. Value must be
/// default constructible and move assignable; an evicted Value is overwritten with a new one at once, which releases
/// its resources. Not thread-safe.
template <class Key, class Value>
class LruTable {
    static_assert(std::has_unique_object_representations_v<Key>, "a Key with padding bytes has no stable hash");
    static_assert(std::is_default_constructible_v<Key> && std::is_default_constructible_v<Value>);
    static_assert(std::is_move_constructible_v<Value> && std::is_move_assignable_v<Value>);

  public:
    /// `capacity` is the maximum number of entries and must be a power of two from 1 to 2^30.
    LruTable(std::uint32_t capacity, const SipKey& sip_key)
        : sip_key_(sip_key), slots_(std::size_t{checked_capacity(capacity)} * 2), slot_mask_(capacity * 2 - 1) {
        entries_.reserve(capacity);
    }

    /// Returns the Value of `key` and makes it the most recent one. Inserts a value-initialised Value if there is none,
    /// evicting the least recently touched entry if the table is full. The reference is valid until the entry is erased
    /// or evicted.
    Value& touch(const Key& key) {
        const std::uint32_t hash = hash_of(key);
        const std::uint32_t position = locate(key, hash);
        if (position != none) {
            const std::uint32_t index = slots_[position].entry();
            if (index != newest_) {
                unlink(index);
                link_newest(index);
            }
            return entries_[index].value;
        }
        if (size_ == capacity()) evict_oldest();
        return insert(key, hash).value;
    }

    /// Returns the Value of `key`, or nullptr. Does not change recency. Valid until the entry is erased or evicted.
    [[nodiscard]] Value* find(const Key& key) {
        const std::uint32_t position = locate(key, hash_of(key));
        return position == none ? nullptr : &entries_[slots_[position].entry()].value;
    }
    [[nodiscard]] const Value* find(const Key& key) const {
        const std::uint32_t position = locate(key, hash_of(key));
        return position == none ? nullptr : &entries_[slots_[position].entry()].value;
    }

    /// The key of the least recently touched entry, which is evicted first, or nullptr. Valid until the entry is
    /// erased.
    [[nodiscard]] const Key* oldest() const { return oldest_ == none ? nullptr : &entries_[oldest_].key; }

    /// Erases `key`. Returns false if it was not present. Does not count as an eviction.
    bool erase(const Key& key) {
        const std::uint32_t position = locate(key, hash_of(key));
        if (position == none) return false;
        remove(position);
        return true;
    }

    /// Current and maximum number of entries.
    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] std::uint32_t capacity() const { return slot_mask_ / 2 + 1; }

    /// Number of entries evicted since construction.
    [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

    /// Calls f(const Key&, Value&) for every entry, most recently touched first. f may change the Value, but must not
    /// call touch() or erase() on this table.
    template <class F>
    void for_each(F&& f) {
        for (std::uint32_t i = newest_; i != none; i = entries_[i].older) {
            f(static_cast<const Key&>(entries_[i].key), entries_[i].value);
        }
    }
    template <class F>
    void for_each(F&& f) const {
        for (std::uint32_t i = newest_; i != none; i = entries_[i].older) f(entries_[i].key, entries_[i].value);
    }

  private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct Entry {
        Key key{};
        Value value{};
        std::uint32_t hash = 0;      // kept to avoid hashing the key on eviction
        std::uint32_t newer = none;  // towards newest_
        std::uint32_t older = none;  // towards oldest_; in a free entry, the next free one
    };

    struct Slot {
        std::uint32_t entry_and_1;  // 0 if the slot is empty
        std::uint32_t hash;
        bool empty() const { return entry_and_1 == 0; }
        std::uint32_t entry() const { return entry_and_1 - 1; }
    };

    static std::uint32_t checked_capacity(std::uint32_t capacity) {
        RINGPOST_CHECK(std::has_single_bit(capacity) && capacity <= 1u << 30);
        return capacity;
    }

    // The low 32 bits of the SipHash. Their lowest bits select the home slot.
    std::uint32_t hash_of(const Key& key) const {
        return static_cast<std::uint32_t>(siphash(sip_key_, std::as_bytes(std::span<const Key, 1>(&key, 1))));
    }

    std::uint32_t after(std::uint32_t position) const { return (position + 1) & slot_mask_; }

    // The slot that holds `key`, or none. Compares hashes first, so entries with other keys are rarely read.
    std::uint32_t locate(const Key& key, std::uint32_t hash) const {
        for (std::uint32_t position = hash & slot_mask_; !slots_[position].empty(); position = after(position)) {
            const Slot& slot = slots_[position];
            if (slot.hash == hash && std::memcmp(&entries_[slot.entry()].key, &key, sizeof(Key)) == 0) return position;
        }
        return none;
    }

    // A freed entry or, if there is none, the next unused one.
    std::uint32_t take_entry() {
        const std::uint32_t index = free_;
        if (index != none) {
            free_ = entries_[index].older;
            return index;
        }
        RINGPOST_CHECK(entries_.size() < capacity());
        entries_.emplace_back();
        return static_cast<std::uint32_t>(entries_.size() - 1);
    }

    Entry& insert(const Key& key, std::uint32_t hash) {
        const std::uint32_t index = take_entry();

        std::uint32_t position = hash & slot_mask_;
        while (!slots_[position].empty()) position = after(position);
        slots_[position] = {index + 1, hash};

        std::memcpy(&entries_[index].key, &key, sizeof(Key));
        entries_[index].hash = hash;
        link_newest(index);
        ++size_;
        return entries_[index];
    }

    void evict_oldest() {
        std::uint32_t position = entries_[oldest_].hash & slot_mask_;
        while (slots_[position].entry() != oldest_) position = after(position);
        remove(position);
        ++evictions_;
    }

    void remove(std::uint32_t position) {
        const std::uint32_t index = slots_[position].entry();
        close_gap(position);
        unlink(index);
        entries_[index].value = Value{};
        entries_[index].older = free_;
        free_ = index;
        --size_;
    }

    // Walks the run behind the gap. An entry whose home slot is at or before the gap moves into the gap, which then
    // moves to the entry's old slot, until the run ends. Source: Knuth, The Art of Computer Programming, volume 3,
    // section 6.4, algorithm R.
    void close_gap(std::uint32_t gap) {
        for (std::uint32_t position = after(gap); !slots_[position].empty(); position = after(position)) {
            const std::uint32_t from_home = (position - slots_[position].hash) & slot_mask_;
            const std::uint32_t from_gap = (position - gap) & slot_mask_;
            if (from_home < from_gap) continue;
            slots_[gap] = slots_[position];
            gap = position;
        }
        slots_[gap] = {};
    }

    void link_newest(std::uint32_t index) {
        entries_[index].newer = none;
        entries_[index].older = newest_;
        (newest_ == none ? oldest_ : entries_[newest_].newer) = index;
        newest_ = index;
    }

    void unlink(std::uint32_t index) {
        const Entry& entry = entries_[index];
        (entry.newer == none ? newest_ : entries_[entry.newer].older) = entry.older;
        (entry.older == none ? oldest_ : entries_[entry.older].newer) = entry.newer;
    }

    SipKey sip_key_;
    ReservedVector<Entry> entries_;  // never grows beyond its reserved size
    ZeroedArray<Slot> slots_;
    std::uint32_t slot_mask_;
    std::uint32_t size_ = 0;
    std::uint32_t newest_ = none;
    std::uint32_t oldest_ = none;
    std::uint32_t free_ = none;
    std::uint64_t evictions_ = 0;
};

}  // namespace ringpost
