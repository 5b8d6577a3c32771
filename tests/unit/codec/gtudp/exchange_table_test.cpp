#include "codec/gtudp/exchange_table.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {
namespace {

struct Exchange {
    PeerIndex peer = none;
    Identity identity = 0;
    ExchangeIndex chained = none;
    std::uint64_t value = 0;
};

using Table = ExchangeTable<Exchange>;
using Key = std::pair<PeerIndex, Identity>;

constexpr SipKey sip_key{0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908};

TEST(GtudpExchangeTable, finds_by_peer_and_identity) {
    Table table(4, sip_key);
    const ExchangeIndex index = table.insert(3, 40);
    ASSERT_NE(index, none);
    EXPECT_EQ(table.find(3, 40), index);
    EXPECT_EQ(table.find(4, 40), none);
    EXPECT_EQ(table.find(3, 41), none);
    EXPECT_EQ(table[index].peer, 3u);
    EXPECT_EQ(table[index].identity, 40u);
    EXPECT_TRUE(table.holds(index));
    table.erase(index);
    EXPECT_EQ(table.find(3, 40), none);
    EXPECT_FALSE(table.holds(index));
}

TEST(GtudpExchangeTable, an_inserted_exchange_is_value_initialised) {
    Table table(1, sip_key);
    const ExchangeIndex index = table.insert(1, 2);
    table[index].value = 99;
    table.erase(index);
    EXPECT_EQ(table.insert(1, 2), index);
    EXPECT_EQ(table[index].value, 0u);
}

TEST(GtudpExchangeTable, a_full_table_refuses_exchanges) {
    Table table(8, sip_key);
    EXPECT_EQ(table.capacity(), 8u);
    for (Identity i = 0; i < 8; ++i) {
        EXPECT_FALSE(table.full());
        EXPECT_NE(table.insert(0, i), none);
    }
    EXPECT_TRUE(table.full());
    EXPECT_EQ(table.size(), 8u);
    EXPECT_EQ(table.insert(0, 8), none);
    EXPECT_EQ(table.find(0, 8), none);
    table.erase(table.find(0, 3));
    EXPECT_FALSE(table.full());
    EXPECT_NE(table.insert(0, 8), none);
}

TEST(GtudpExchangeTable, holds_only_indices_it_has_returned) {
    Table table(4, sip_key);
    for (const ExchangeIndex index : {0u, 3u, 4u, none}) EXPECT_FALSE(table.holds(index)) << index;
}

// Compares the table with a map. `name` maps numbers to identities; numbers are inserted and erased in any order within
// a moving window, so the table is sometimes empty and sometimes full.
template <class Name>
void play(std::uint64_t seed, std::uint32_t capacity, std::uint32_t peers, Name&& name) {
    Random random(seed);
    Table table(capacity, {random(), random()});
    std::map<Key, std::pair<ExchangeIndex, std::uint64_t>> model;
    for (std::uint32_t step = 0; step < 30'000; ++step) {
        const Key key{static_cast<PeerIndex>(random() % peers),
                      name(static_cast<std::uint32_t>(step / 64 + random() % (2 * capacity)))};
        const auto known = model.find(key);
        ASSERT_EQ(table.find(key.first, key.second), known == model.end() ? none : known->second.first);
        if (known != model.end() && random() % 2 == 0) {
            ASSERT_EQ(table[known->second.first].value, known->second.second);
            table.erase(known->second.first);
            model.erase(known);
        } else if (known == model.end()) {
            const ExchangeIndex index = table.insert(key.first, key.second);
            ASSERT_EQ(index == none, model.size() == capacity);
            if (index != none) {
                ASSERT_LT(index, capacity);
                table[index].value = step;
                model[key] = {index, step};
            } else {  // full: move the window
                const auto transmitted = model.begin();
                table.erase(transmitted->second.first);
                model.erase(transmitted);
            }
        }
        ASSERT_EQ(table.size(), model.size());
    }
    std::vector<bool> used(capacity);
    for (const auto& [key, held] : model) {
        EXPECT_EQ(table.find(key.first, key.second), held.first);
        EXPECT_EQ(table[held.first].value, held.second);
        EXPECT_FALSE(used[held.first]) << "two exchanges with one index";
        used[held.first] = true;
    }
}

TEST(GtudpExchangeTable, agrees_with_a_model_for_increasing_identities) {
    for (const std::uint32_t capacity : {1u, 2u, 64u, 256u})
        play(capacity, capacity, 3, [](std::uint32_t number) { return number; });
}

TEST(GtudpExchangeTable, agrees_with_a_model_for_wrapping_identities) {
    play(1, 64, 2, [](std::uint32_t number) { return static_cast<Identity>(number - 300u); });
}

TEST(GtudpExchangeTable, agrees_with_a_model_for_scattered_identities) {
    play(2, 64, 3, [](std::uint32_t number) { return static_cast<Identity>(number * 2'654'435'761u); });
    play(3, 64, 50, [](std::uint32_t number) { return static_cast<Identity>(number << 27); });
}

TEST(GtudpExchangeTable, chosen_identities_do_not_collide) {
    // Identities that agree in all low bits: without a keyed hash they would share one chain, and this would take
    // minutes.
    constexpr std::uint32_t capacity = 1u << 16;
    Table table(capacity, sip_key);
    for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_NE(table.insert(0, i << 16), none);
    for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_NE(table.find(0, i << 16), none);
    for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_EQ(table.find(0, i << 16 | 1), none);
}

TEST(GtudpExchangeTableDeathTest, capacity_is_a_power_of_two) { EXPECT_DEATH(Table(3, sip_key), "check failed"); }

}  // namespace
}  // namespace ringpost::gtudp
