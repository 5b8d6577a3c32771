#include "codec/base/lru_table.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace ringpost {
namespace {

constexpr SipKey test_key{0x1234'5678'9abc'def0, 0x0fed'cba9'8765'4321};

using Key = std::uint64_t;
using Table = LruTable<Key, std::uint64_t>;

std::vector<Key> keys_by_recency(const Table& table) {
    std::vector<Key> keys;
    table.for_each([&](const Key& key, const std::uint64_t&) { keys.push_back(key); });
    return keys;
}

// A simple implementation: a list ordered by recency and a map into it.
class Model {
  public:
    explicit Model(std::size_t capacity) : capacity_(capacity) {}

    std::uint64_t& touch(Key key) {
        if (const auto found = places_.find(key); found != places_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
            return entries_.front().second;
        }
        if (entries_.size() == capacity_) {
            places_.erase(entries_.back().first);
            entries_.pop_back();
            ++evictions_;
        }
        entries_.emplace_front(key, 0);
        places_[key] = entries_.begin();
        return entries_.front().second;
    }

    std::uint64_t* find(Key key) {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->second;
    }

    bool erase(Key key) {
        const auto found = places_.find(key);
        if (found == places_.end()) return false;
        entries_.erase(found->second);
        places_.erase(found);
        return true;
    }

    std::vector<Key> keys_by_recency() const {
        std::vector<Key> keys;
        for (const auto& entry : entries_) keys.push_back(entry.first);
        return keys;
    }

    std::uint64_t evictions() const { return evictions_; }

  private:
    std::size_t capacity_;
    std::list<std::pair<Key, std::uint64_t>> entries_;
    std::map<Key, std::list<std::pair<Key, std::uint64_t>>::iterator> places_;
    std::uint64_t evictions_ = 0;
};

// Random calls to table and model with keys from `keys`. Both must agree after each call.
void compare_with_model(std::uint32_t capacity, const std::vector<Key>& keys, std::uint64_t seed, int steps) {
    SCOPED_TRACE(testing::Message() << "capacity " << capacity << ", seed " << seed);
    std::mt19937_64 random(seed);
    Table table(capacity, test_key);
    Model model(capacity);
    for (int step = 0; step < steps; ++step) {
        const Key key = keys[random() % keys.size()];
        switch (random() % 8) {
            case 0:
            case 1: ASSERT_EQ(table.erase(key), model.erase(key)) << "step " << step; break;
            case 2: {
                const std::uint64_t* found = table.find(key);
                const std::uint64_t* expected = model.find(key);
                ASSERT_EQ(found == nullptr, expected == nullptr) << "step " << step;
                if (found != nullptr) {
                    ASSERT_EQ(*found, *expected) << "step " << step;
                }
                break;
            }
            default: {
                std::uint64_t& value = table.touch(key);
                std::uint64_t& expected = model.touch(key);
                ASSERT_EQ(value, expected) << "step " << step;
                value = expected = random();
            }
        }
        ASSERT_EQ(keys_by_recency(table), model.keys_by_recency()) << "step " << step;
        ASSERT_EQ(table.oldest() == nullptr, table.size() == 0) << "step " << step;
        if (table.oldest() != nullptr) {
            ASSERT_EQ(*table.oldest(), keys_by_recency(table).back()) << "step " << step;
        }
        ASSERT_EQ(table.size(), model.keys_by_recency().size()) << "step " << step;
        ASSERT_EQ(table.evictions(), model.evictions()) << "step " << step;
    }
    for (const Key key : keys) ASSERT_EQ(table.find(key) == nullptr, model.find(key) == nullptr) << "key " << key;
}

std::vector<Key> consecutive_keys(std::size_t count) {
    std::vector<Key> keys(count);
    for (std::size_t i = 0; i < count; ++i) keys[i] = i;
    return keys;
}

// Keys whose home is the same slot of a table of `capacity`, or the next one: probe sequences become as long as
// possible and, with the last slot as home, wrap around.
std::vector<Key> colliding_keys(std::uint32_t capacity, std::uint32_t home, std::size_t count) {
    const std::uint64_t slot_mask = capacity * 2 - 1;
    std::vector<Key> keys;
    for (Key key = 0; keys.size() < count; ++key) {
        const std::uint64_t slot = siphash(test_key, std::as_bytes(std::span<const Key, 1>(&key, 1))) & slot_mask;
        if (slot == home || slot == ((home + 1) & slot_mask)) keys.push_back(key);
    }
    return keys;
}

TEST(LruTable, touch_inserts_a_new_value_and_finds_it_again) {
    Table table(4, test_key);
    EXPECT_EQ(table.find(7), nullptr);
    EXPECT_EQ(table.touch(7), 0u);
    table.touch(7) = 70;
    EXPECT_EQ(table.touch(7), 70u);
    ASSERT_NE(std::as_const(table).find(7), nullptr);
    EXPECT_EQ(*std::as_const(table).find(7), 70u);
    EXPECT_EQ(table.size(), 1u);
    EXPECT_EQ(table.capacity(), 4u);
}

TEST(LruTable, evicts_the_least_recently_touched_and_find_does_not_touch) {
    Table table(4, test_key);
    for (Key key = 1; key <= 4; ++key) table.touch(key) = key;
    table.touch(1);
    EXPECT_NE(table.find(2), nullptr);
    EXPECT_EQ(table.touch(5), 0u);
    EXPECT_EQ(keys_by_recency(table), (std::vector<Key>{5, 1, 4, 3}));
    EXPECT_EQ(table.evictions(), 1u);
    EXPECT_EQ(table.touch(2), 0u);
    EXPECT_EQ(table.evictions(), 2u);
    EXPECT_EQ(table.find(3), nullptr);
}

TEST(LruTable, erase_frees_an_entry_and_is_not_an_eviction) {
    Table table(2, test_key);
    table.touch(1);
    table.touch(2);
    EXPECT_TRUE(table.erase(1));
    EXPECT_FALSE(table.erase(1));
    table.touch(3);
    EXPECT_EQ(keys_by_recency(table), (std::vector<Key>{3, 2}));
    EXPECT_EQ(table.evictions(), 0u);
}

TEST(LruTable, a_capacity_of_one_holds_the_latest) {
    Table table(1, test_key);
    for (Key key = 0; key < 100; ++key) table.touch(key) = key + 1;
    EXPECT_EQ(keys_by_recency(table), (std::vector<Key>{99}));
    EXPECT_EQ(*table.find(99), 100u);
    EXPECT_EQ(table.evictions(), 99u);
}

TEST(LruTable, a_value_keeps_its_address_while_others_are_inserted_and_erased) {
    Table table(64, test_key);
    std::uint64_t* const value = &table.touch(1'000);
    *value = 42;
    for (Key key = 0; key < 10'000; ++key) {
        table.touch(key % 200);
        if (key % 3 == 0) table.erase(key % 200 / 2);
        ASSERT_EQ(&table.touch(1'000), value);
    }
    EXPECT_EQ(*value, 42u);
}

TEST(LruTable, an_evicted_value_releases_its_resources) {
    LruTable<Key, std::shared_ptr<int>> table(2, test_key);
    const auto owned = std::make_shared<int>(1);
    table.touch(1) = owned;
    table.touch(2) = owned;
    EXPECT_EQ(owned.use_count(), 3);
    table.erase(1);
    EXPECT_EQ(owned.use_count(), 2);
    table.touch(3);
    table.touch(4);
    EXPECT_EQ(owned.use_count(), 1);
}

TEST(LruTable, for_each_may_change_values) {
    Table table(4, test_key);
    for (Key key = 1; key <= 3; ++key) table.touch(key) = key;
    table.for_each([](const Key& key, std::uint64_t& value) { value += key; });
    EXPECT_EQ(*table.find(3), 6u);
}

TEST(LruTable, behaves_like_the_model) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        compare_with_model(1, consecutive_keys(3), seed, 2'000);
        compare_with_model(2, consecutive_keys(4), seed, 2'000);
        compare_with_model(16, consecutive_keys(24), seed, 5'000);
        compare_with_model(64, consecutive_keys(160), seed, 5'000);
    }
}

TEST(LruTable, behaves_like_the_model_when_every_key_collides) {
    constexpr std::uint32_t capacity = 16;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (const std::uint32_t home : {0u, 5u, capacity * 2 - 9, capacity * 2 - 1}) {
            compare_with_model(capacity, colliding_keys(capacity, home, 24), seed, 3'000);
        }
    }
}

TEST(LruTableDeathTest, refuses_a_capacity_that_is_not_a_power_of_two) {
    EXPECT_DEATH(Table(0, test_key), "check failed");
    EXPECT_DEATH(Table(3, test_key), "check failed");
}

}  // namespace
}  // namespace ringpost
