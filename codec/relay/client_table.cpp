// Entries never move. Buckets are linked lists through `chained`, twice as many as entries. Recency is a doubly linked
// list through `newer` and `older` for new clients, and another for regulars (the 2Q policy; Johnson and Shasha 1994).
// The client of the previous datagram is compared first, since the datagrams of a train come from one client; that
// needs no hash.

#include "codec/relay/client_table.hpp"

#include <bit>
#include <utility>

#include "codec/base/check.hpp"

namespace ringpost::relay {

ClientTable::ClientTable(std::uint32_t capacity, const SipKey& key)
    : key_(key), entries_(capacity), buckets_(std::size_t{capacity} * 2) {
    RINGPOST_CHECK(std::has_single_bit(capacity) && capacity <= 1u << 30);
    for (std::uint32_t i = 0; i + 1 < capacity; ++i) entries_[i].chained = i + 1;
}

std::optional<ClientId> ClientTable::touch(const Address& address) {
    if (last_ != none && entries_[last_].regular && entries_[last_].client.address == address) return id_of(last_);
    std::uint32_t index = buckets_[bucket(address)];
    while (index != none && !(entries_[index].client.address == address)) index = entries_[index].chained;
    if (index == none) return std::nullopt;
    unlink(index);
    make_regular(index);
    last_ = index;
    return id_of(index);
}

void ClientTable::make_regular(std::uint32_t index) {
    entries_[index].regular = true;
    link_newest(index);
    if (regulars_.count <= regulars_max()) return;
    const std::uint32_t oldest = regulars_.oldest;
    unlink(oldest);
    entries_[oldest].regular = false;
    link_newest(oldest);
}

ClientId ClientTable::add(const Address& address) {
    const std::uint32_t index = free_;
    RINGPOST_CHECK(index != none);
    Entry& entry = entries_[index];
    free_ = entry.chained;
    entry.client = Client{.address = address, .local = {}, .socket = std::nullopt};
    entry.used = true;
    const std::uint32_t head = bucket(address);
    entry.chained = buckets_[head];
    buckets_.set(head, index);
    link_newest(index);
    last_ = index;
    return id_of(index);
}

Client* ClientTable::find(ClientId id) { return const_cast<Client*>(std::as_const(*this).find(id)); }

const Client* ClientTable::find(ClientId id) const {
    const Entry& entry = entries_[id.index];
    return entry.used && entry.generation == id.generation ? &entry.client : nullptr;
}

void ClientTable::erase(ClientId id) {
    RINGPOST_CHECK(find(id) != nullptr);
    Entry& entry = entries_[id.index];
    const std::uint32_t head = bucket(entry.client.address);
    if (buckets_[head] == id.index) {
        buckets_.set(head, entry.chained);
    } else {
        std::uint32_t before = buckets_[head];
        while (entries_[before].chained != id.index) before = entries_[before].chained;
        entries_[before].chained = entry.chained;
    }
    unlink(id.index);
    entry.used = entry.regular = false;
    if (++entry.generation == 0) entry.generation = 1;
    entry.chained = free_;
    free_ = id.index;
}

std::uint32_t ClientTable::bucket(const Address& address) const {
    const auto hash = siphash(key_, std::as_bytes(std::span<const Address, 1>(&address, 1)));
    return static_cast<std::uint32_t>(hash % buckets_.size());
}

void ClientTable::link_newest(std::uint32_t index) {
    Recency& list = list_of(index);
    entries_[index].newer = none;
    entries_[index].older = list.newest;
    (list.newest == none ? list.oldest : entries_[list.newest].newer) = index;
    list.newest = index;
    ++list.count;
}

void ClientTable::unlink(std::uint32_t index) {
    Recency& list = list_of(index);
    const Entry& entry = entries_[index];
    (entry.newer == none ? list.newest : entries_[entry.newer].older) = entry.older;
    (entry.older == none ? list.oldest : entries_[entry.older].newer) = entry.newer;
    --list.count;
}

}  // namespace ringpost::relay
