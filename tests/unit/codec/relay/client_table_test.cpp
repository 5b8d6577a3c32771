#include "codec/relay/client_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>

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

TEST(RelayClientTable, agrees_with_a_list_in_order_of_activity) {
    constexpr std::size_t capacity = 16;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        ringpost::Random random(seed);
        ClientTable table(capacity, SipKey{seed, 3});
        std::list<std::pair<Address, ClientId>> model;  // most recent first
        for (int step = 0; step < 5'000; ++step) {
            const Address address = address_of(random() % 40);
            const auto known = std::ranges::find(model, address, &std::pair<Address, ClientId>::first);
            const auto found = table.touch(address);
            ASSERT_EQ(found.has_value(), known != model.end());
            if (found) {
                ASSERT_EQ(*found, known->second);
                model.splice(model.begin(), model, known);
            } else {
                ASSERT_EQ(table.full(), model.size() == capacity);
                if (table.full()) {
                    ASSERT_EQ(table.oldest(), model.back().second);
                    table.erase(table.oldest());
                    model.pop_back();
                }
                model.emplace_front(address, table.add(address));
            }
            if (random() % 50 == 0) {
                const auto any = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
                table.erase(any->second);
                ASSERT_EQ(table.find(any->second), nullptr);
                model.erase(any);
            }
            for (const auto& [client, id] : model) ASSERT_EQ(table.find(id)->address, client);
        }
    }
}

}  // namespace
}  // namespace ringpost::relay
