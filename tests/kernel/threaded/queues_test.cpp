// BoundedQueue, FreeList, BlockPool and Bell, with one thread and with several at each end.

#include <numeric>
#include <thread>

#include "engine/threaded/bell.hpp"
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/free_list.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

TEST(BoundedQueue, is_fifo_and_refuses_when_full) {
    for (const std::uint32_t capacity : {2u, 4u, 64u}) {
        BoundedQueue<std::uint32_t> queue(capacity);
        std::uint32_t next_in = 0, next_out = 0;
        for (std::uint32_t round = 0; round < 100; ++round) {
            EXPECT_TRUE(queue.empty());
            EXPECT_EQ(queue.try_pop(), std::nullopt);
            while (queue.try_push(next_in)) ++next_in;
            EXPECT_EQ(next_in - next_out, capacity);
            EXPECT_TRUE(queue.full());
            // Leaves one item in every other round, so that the positions move around the ring.
            for (std::uint32_t i = 0; i < capacity - round % 2; ++i) EXPECT_EQ(queue.try_pop(), next_out++);
            EXPECT_FALSE(queue.full());
            while (const auto item = queue.try_pop()) EXPECT_EQ(*item, next_out++);
        }
        EXPECT_EQ(next_in, next_out);
    }
}

TEST(BoundedQueue, neither_loses_nor_duplicates_between_threads) {
    constexpr std::uint32_t threads = 4, each = 20'000 * scale;
    struct Item {
        std::uint32_t producer, number;
    };
    BoundedQueue<Item> queue(64);
    std::atomic<std::uint32_t> popped{0};
    std::vector<std::vector<Item>> taken(threads);
    std::vector<std::thread> running;
    for (std::uint32_t id = 0; id < threads; ++id) {
        running.emplace_back([&, id] {
            for (std::uint32_t i = 0; i < each; ++i)
                while (!queue.try_push({id, i})) std::this_thread::yield();
        });
        running.emplace_back([&, id] {
            while (popped.load() < threads * each) {
                const auto item = queue.try_pop();
                if (!item) {
                    std::this_thread::yield();
                    continue;
                }
                taken[id].push_back(*item);
                ++popped;
            }
        });
    }
    for (auto& thread : running) thread.join();
    std::vector<std::uint32_t> seen(threads * each, 0);
    for (const auto& by_one : taken) {
        std::vector<std::uint32_t> least(threads, 0);
        for (const Item& item : by_one) {
            ++seen[item.producer * each + item.number];
            EXPECT_GE(item.number, least[item.producer]) << "items of one producer are out of order";
            least[item.producer] = item.number;
        }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1u), threads * each);
}

TEST(FreeList, hands_out_each_index_once) {
    FreeList list(100, 3);
    std::vector<std::uint32_t> taken;
    while (const auto number = list.take()) taken.push_back(*number);
    EXPECT_EQ(taken, (std::vector<std::uint32_t>{100, 101, 102}));
    list.give(101);
    list.give(100);
    EXPECT_EQ(list.take(), 100u) << "last in, first out";
    EXPECT_EQ(list.take(), 101u);
    EXPECT_EQ(list.take(), std::nullopt);
}

TEST(FreeList, between_threads) {
    constexpr std::uint32_t threads = 4, numbers = 3, rounds = 50'000 * scale;
    FreeList list(0, numbers);
    // Not atomic: two owners of one index would be a data race and a wrong sum.
    std::uint64_t uses[numbers] = {};
    std::atomic<std::uint64_t> total{0};
    std::vector<std::thread> running;
    for (std::uint32_t id = 0; id < threads; ++id)
        running.emplace_back([&] {
            for (std::uint32_t i = 0; i < rounds; ++i) {
                const auto number = list.take();
                if (!number) continue;
                ++uses[*number];
                ++total;
                list.give(*number);
            }
        });
    for (auto& thread : running) thread.join();
    EXPECT_EQ(std::accumulate(std::begin(uses), std::end(uses), std::uint64_t{0}), total.load());
    std::uint32_t left = 0;
    while (list.take()) ++left;
    EXPECT_EQ(left, numbers);
}

TEST(BlockPool, prefers_small_blocks_that_are_large_enough) {
    BlockPool pool(2, 2);
    const auto a = pool.take(1), b = pool.take(BlockPool::small_bytes), c = pool.take(0);
    EXPECT_EQ(pool.memory(*a).size(), BlockPool::small_bytes);
    EXPECT_EQ(pool.memory(*b).size(), BlockPool::small_bytes);
    EXPECT_EQ(pool.memory(*c).size(), BlockPool::large_bytes) << "all small blocks are in use";
    const auto d = pool.take(BlockPool::small_bytes + 1);
    EXPECT_EQ(pool.memory(*d).size(), BlockPool::large_bytes);
    EXPECT_EQ(pool.take(1), std::nullopt);
    pool.give(*a);
    EXPECT_EQ(pool.take(BlockPool::small_bytes + 1), std::nullopt);
    EXPECT_EQ(pool.take(1), a);
    for (const auto block : {*a, *b, *c, *d}) std::memset(pool.memory(block).data(), static_cast<int>(block), 1'000);
    for (const auto block : {*a, *b, *c, *d}) EXPECT_EQ(pool.memory(block)[999], static_cast<std::byte>(block));
}

TEST(Bell, wakes_consumers_of_an_empty_queue) {
    constexpr std::uint32_t items = 5'000 * scale, threads = 3;
    BoundedQueue<std::uint32_t> queue(8);
    Bell bell, answered;
    std::atomic<std::uint32_t> popped{0};
    std::vector<std::thread> running;
    for (std::uint32_t id = 0; id < threads; ++id)
        running.emplace_back([&] {
            while (true) {
                std::optional<std::uint32_t> item;
                bell.wait(never, [&] { return (item = queue.try_pop()).has_value(); });
                if (*item == items) break;
                ++popped;
                answered.ring(1);
            }
        });
    // Waits until each item is processed, so that the consumers sleep in between: a lost wake-up would hang here.
    for (std::uint32_t i = 0; i < items; ++i) {
        ASSERT_TRUE(queue.try_push(i));
        bell.ring(1);
        answered.wait(never, [&] { return popped.load() == i + 1; });
    }
    for (std::uint32_t id = 0; id < threads; ++id) ASSERT_TRUE(queue.try_push(items));
    bell.ring(threads);
    for (auto& thread : running) thread.join();
    EXPECT_EQ(popped.load(), items);
}

TEST(Bell, a_deadline_ends_the_wait) {
    Bell bell;
    EXPECT_FALSE(bell.wait(0, [] { return false; }));
    const Instant deadline = now() + millisecond;
    EXPECT_FALSE(bell.wait(deadline, [] { return false; }));
    EXPECT_GE(now(), deadline);
    EXPECT_TRUE(bell.wait(0, [] { return true; })) << "tries once even after the deadline";
}

}  // namespace
}  // namespace ringpost::test
