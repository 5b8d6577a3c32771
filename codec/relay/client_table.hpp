#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost::relay {

/// Identifies a client permanently: if its entry is reused, the generation differs.
struct ClientId {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  ///< 0 (the default) identifies no client
    bool operator==(const ClientId&) const = default;
};

struct Client {
    Address address;
    Address local{};                    ///< local address of its last datagram; replies leave from there
    std::optional<SocketIndex> socket;  ///< connected to the target; nullopt until attached
};

/// Clients by address, using a keyed hash, in order of activity. A client that has sent once is new; one that has sent
/// again is a regular, so that strangers who send once evict each other. All operations are O(1). Nothing is allocated
/// after construction. Not thread-safe.
class ClientTable {
  public:
    /// `capacity` must be a power of two.
    ClientTable(std::uint32_t capacity, const SipKey& key);

    /// Finds the client with this address and makes it the most recent regular.
    std::optional<ClientId> touch(const Address& address);
    /// Adds a client as the most recent new one. The address must be unknown and the table not full.
    ClientId add(const Address& address);
    /// Returns nullptr if the client has been removed. Valid until it is removed.
    Client* find(ClientId id);
    const Client* find(ClientId id) const;
    void erase(ClientId id);

    std::uint32_t capacity() const { return static_cast<std::uint32_t>(entries_.size()); }
    bool full() const { return free_ == none; }
    /// The least recently active new client or, if there is none, regular. The table must not be empty.
    ClientId oldest() const { return id_of(fresh_.oldest != none ? fresh_.oldest : regulars_.oldest); }
    /// The least recently active regular above this number is new again, so that there is always space for new clients.
    std::uint32_t regulars_max() const { return capacity() - capacity() / 4; }

  private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct Entry {
        Client client;
        std::uint32_t generation = 1;
        bool used = false;
        bool regular = false;
        std::uint32_t chained = none;  ///< in its bucket or in the free list
        std::uint32_t newer = none, older = none;
    };

    /// A list through the entries, in order of activity.
    struct Recency {
        std::uint32_t newest = none, oldest = none;
        std::uint32_t count = 0;
    };

    ClientId id_of(std::uint32_t index) const { return {index, entries_[index].generation}; }
    std::uint32_t bucket(const Address& address) const;
    Recency& list_of(std::uint32_t index) { return entries_[index].regular ? regulars_ : fresh_; }
    void make_regular(std::uint32_t index);
    void link_newest(std::uint32_t index);
    void unlink(std::uint32_t index);

    SipKey key_;
    std::vector<Entry> entries_;
    IndexArray buckets_;
    std::uint32_t free_ = 0;
    std::uint32_t last_ = none;  ///< touched or added last; may have been erased
    Recency fresh_, regulars_;
};

}  // namespace ringpost::relay
