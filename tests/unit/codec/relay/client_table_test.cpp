#include "codec/relay/client_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <vector>

#include "tests/unit/helpers.hpp"

namespace ringpost::relay {
namespace {

constexpr SipKey test_key{1, 2};

Address address_of(std::uint64_t i) { return Address::v4(10, 0, 0, 1, static_cast<std::uint16_t>(1'000 + i)); }

TEST(RelayClientTable, finds_clients_by_address_and_erases_them_permanently) {
    ClientTable table(4, test_key);
    EXPECT_FALSE(table.touch(address_of(1)));
    const ClientId one = table.add(address_of(1));
    EXPECT_EQ(table.touch(address_of(1)), one);
    table.find(one)->socket = 5;
    EXPECT_EQ(table.find(one)->address, address_of(1));
    table.erase(one);
    EXPECT_EQ(table.find(one), nullptr);
    EXPECT_FALSE(table.touch(address_of(1)));
    const ClientId again = table.add(address_of(1));
    EXPECT_EQ(again.index, one.index);
    EXPECT_NE(again, one);
    EXPECT_EQ(table.find(one), nullptr) << "the same entry, another client";
    EXPECT_FALSE(table.find(again)->socket);
    EXPECT_EQ(table.find(ClientId{}), nullptr);
}

// Two lists, most recent first: of new clients and of regulars.
struct Model {
    using Entry = std::pair<Address, ClientId>;
    std::list<Entry> fresh, regulars;

    const Entry* touch(const Address& address, std::size_t regulars_max) {
        for (std::list<Entry>* list : {&fresh, &regulars})
            if (const auto known = std::ranges::find(*list, address, &Entry::first); known != list->end()) {
                regulars.splice(regulars.begin(), *list, known);
                if (regulars.size() > regulars_max) fresh.splice(fresh.begin(), regulars, std::prev(regulars.end()));
                return &*std::ranges::find(regulars, address, &Entry::first);
            }
        return nullptr;
    }
    std::size_t size() const { return fresh.size() + regulars.size(); }
    const Entry& oldest() const { return fresh.empty() ? regulars.back() : fresh.back(); }
    void erase(const Address& address) {
        std::erase_if(fresh, [&](const Entry& entry) { return entry.first == address; });
        std::erase_if(regulars, [&](const Entry& entry) { return entry.first == address; });
    }
    std::vector<Entry> all() const {
        std::vector<Entry> out(fresh.begin(), fresh.end());
        out.insert(out.end(), regulars.begin(), regulars.end());
        return out;
    }
};

TEST(RelayClientTable, agrees_with_lists_in_order_of_activity) {
    constexpr std::size_t capacity = 16;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        ringpost::Random random(seed);
        ClientTable table(capacity, SipKey{seed, 3});
        Model model;
        for (int step = 0; step < 5'000; ++step) {
            const Address address = address_of(random() % (seed % 2 == 0 ? 40 : 20));
            const auto* known = model.touch(address, table.regulars_max());
            const auto found = table.touch(address);
            ASSERT_EQ(found.has_value(), known != nullptr);
            if (found) {
                ASSERT_EQ(*found, known->second);
            } else {
                ASSERT_EQ(table.full(), model.size() == capacity);
                if (table.full()) {
                    ASSERT_EQ(table.oldest(), model.oldest().second);
                    table.erase(table.oldest());
                    model.erase(Address(model.oldest().first));
                }
                model.fresh.emplace_front(address, table.add(address));
            }
            if (random() % 50 == 0) {
                const Model::Entry any = model.all()[random() % model.size()];
                table.erase(any.second);
                ASSERT_EQ(table.find(any.second), nullptr);
                model.erase(any.first);
            }
            for (const auto& [client, id] : model.all()) ASSERT_EQ(table.find(id)->address, client);
        }
    }
}

TEST(RelayClientTable, strangers_who_send_once_evict_each_other) {
    ClientTable table(16, test_key);
    for (std::uint64_t i = 0; i < 12; ++i) table.add(address_of(i));
    for (std::uint64_t i = 0; i < 12; ++i) EXPECT_TRUE(table.touch(address_of(i)));
    for (std::uint64_t i = 100; i < 1'000; ++i) {
        if (table.full()) table.erase(table.oldest());
        table.add(address_of(i));
    }
    for (std::uint64_t i = 0; i < 12; ++i) EXPECT_TRUE(table.touch(address_of(i))) << i;
}

TEST(RelayClientTable, regulars_leave_space_for_new_clients) {
    ClientTable table(16, test_key);
    for (std::uint64_t i = 0; i < 16; ++i) table.add(address_of(i));
    for (std::uint64_t i = 0; i < 16; ++i) EXPECT_TRUE(table.touch(address_of(i)));
    EXPECT_EQ(table.find(table.oldest())->address, address_of(0)) << "the least recent regular is new again";
    for (std::uint64_t i = 100; i < 110; ++i) {
        table.erase(table.oldest());
        table.add(address_of(i));
        EXPECT_TRUE(table.touch(address_of(i))) << "a new client becomes a regular";
    }
}

}  // namespace
}  // namespace ringpost::relay
