#include "codec/relay/held_queue.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "tests/unit/helpers.hpp"

namespace ringpost::relay {
namespace {

TEST(RelayHeldQueue, returns_the_earliest_and_equal_ones_in_order_of_arrival) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        ringpost::Random random(seed);
        HeldQueue queue(64);
        std::map<std::pair<Instant, std::uint32_t>, std::uint32_t> model;  // due time and ordinal
        std::uint32_t pushed = 0;
        Instant now = 0;
        for (int step = 0; step < 5'000; ++step) {
            now += static_cast<Instant>(random() % 3);
            // Mostly in order, like datagrams with a common delay; some are later, some earlier.
            const Instant due = now + static_cast<Instant>(random() % 4 == 0 ? random() % 50 : 10);
            if (random() % 2 == 0) {
                const bool taken = queue.push({.due = due, .bytes = pushed});
                ASSERT_EQ(taken, model.size() < 64);
                if (taken) model[{due, pushed}] = pushed;
                ++pushed;
            } else if (!model.empty()) {
                ASSERT_EQ(queue.front().bytes, model.begin()->second);
                ASSERT_EQ(queue.front().due, model.begin()->first.first);
                queue.pop();
                model.erase(model.begin());
            }
            ASSERT_EQ(queue.size(), model.size());
            ASSERT_EQ(queue.empty(), model.empty());
        }
    }
}

TEST(RelayHeldQueue, a_full_queue_refuses_until_one_is_popped) {
    HeldQueue queue(4);
    for (Instant due : {5, 3, 4, 9}) EXPECT_TRUE(queue.push({.due = due}));
    EXPECT_FALSE(queue.push({.due = 1}));
    EXPECT_EQ(queue.front().due, 3);
    queue.pop();
    EXPECT_TRUE(queue.push({.due = 1}));
    EXPECT_EQ(queue.front().due, 1);
    EXPECT_FALSE(queue.push({.due = 2}));
}

}  // namespace
}  // namespace ringpost::relay
