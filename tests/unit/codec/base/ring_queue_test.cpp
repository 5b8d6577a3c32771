#include "codec/base/ring_queue.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

TEST(RingQueue, first_in_first_out_until_full) {
    RingQueue<int> queue(4);
    EXPECT_TRUE(queue.empty());
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.push(4));
    EXPECT_EQ(queue.size(), 4u);
    for (int i = 0; i < 4; ++i, queue.pop()) EXPECT_EQ(queue.front(), i);
    EXPECT_TRUE(queue.empty());
}

TEST(RingQueue, capacity_of_one) {
    RingQueue<int> queue(1);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(queue.push(i));
        EXPECT_TRUE(queue.full());
        EXPECT_FALSE(queue.push(-1));
        EXPECT_EQ(queue.front(), i);
        queue.pop();
        EXPECT_FALSE(queue.full());
    }
}

TEST(RingQueue, agrees_with_a_model) {
    Random random(1);
    RingQueue<std::uint64_t> queue(8);
    std::deque<std::uint64_t> model;
    for (int step = 0; step < 10'000; ++step) {
        // Prefers pushes, then pops, so that both limits are reached.
        if (random() % 4 < (step / 100 % 2 == 0 ? 3u : 1u)) {
            const std::uint64_t item = random();
            ASSERT_EQ(queue.push(item), model.size() < 8);
            if (model.size() < 8) model.push_back(item);
        } else if (!model.empty()) {
            queue.pop();
            model.pop_front();
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        ASSERT_EQ(queue.full(), model.size() == 8);
        if (!model.empty()) {
            ASSERT_EQ(queue.front(), model.front());
            ASSERT_EQ(queue.back(), model.back());
        }
    }
}

TEST(RingQueueDeathTest, capacity_is_a_power_of_two) {
    EXPECT_DEATH(RingQueue<int>(0), "check failed");
    EXPECT_DEATH(RingQueue<int>(12), "check failed");
}

}  // namespace
}  // namespace ringpost
