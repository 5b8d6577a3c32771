#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/siphash.hpp"

namespace ringpost::relay {

/// Names one client for good: its place may go to another, the generation then tells them apart.
struct ClientId {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  ///< a default-made one, 0, is nobody's
    bool operator==(const ClientId&) const = default;
};

struct Client {
    Address address;
    Address local{};                    ///< that it last sent to
    std::optional<SocketIndex> socket;  ///< its own towards the target; nothing while it has none yet
};

/// Clients by address, found by a keyed hash, in the order in which they were last heard. All is O(1) and nothing
/// allocates after construction. Not thread-safe.
class ClientTable {
  public:
    /// `capacity` is a power of two (checked).
    ClientTable(std::uint32_t capacity, const SipKey& key);

    /// The client of that address, now the latest heard.
    std::optional<ClientId> hear(const Address& address);
    /// A new client, the latest heard. Only if hear() did not know it and the table is not full (checked).
    ClientId add(const Address& address);
    /// Null once it is forgotten. Valid until then.
    Client* find(ClientId id);
    const Client* find(ClientId id) const;
    void forget(ClientId id);

    std::uint32_t capacity() const { return static_cast<std::uint32_t>(entries_.size()); }
    bool full() const { return free_ == none; }
    /// The least recently heard; there must be one.
    ClientId oldest() const { return id_of(oldest_); }

  private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct Entry {
        Client client;
        std::uint32_t generation = 1;
        bool used = false;
        std::uint32_t chained = none;  ///< in its bucket, or among the free
        std::uint32_t newer = none, older = none;
    };

    ClientId id_of(std::uint32_t index) const { return {index, entries_[index].generation}; }
    std::uint32_t bucket(const Address& address) const;
    void link_newest(std::uint32_t index);
    void unlink(std::uint32_t index);

    SipKey key_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> buckets_;
    std::uint32_t free_ = 0, newest_ = none, oldest_ = none;
};

}  // namespace ringpost::relay
