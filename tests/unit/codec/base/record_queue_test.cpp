#include "codec/base/record_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

using Queue = RecordQueue<std::uint64_t>;

constexpr std::size_t overhead = 16;  // length and header

constexpr std::size_t room_for(std::size_t bytes) { return overhead + (bytes + 7) / 8 * 8; }

bool front_is(const Queue& queue, std::uint64_t header, const Bytes& bytes) {
    const auto record = queue.front();
    return record && record->header == header && std::ranges::equal(record->bytes, bytes);
}

// Compares random pushes, appends and pops with a deque. Whether a push fits depends on where the records are stored.
// From outside, an empty queue must accept whatever it has space for, and a refusal must waste less than the refused
// record and the longest one before it.
void play(std::uint64_t seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const std::size_t capacity = 8 * (4 + random() % 60);
    const std::size_t length_max = 1 + random() % (capacity / (1 + random() % 4));
    Queue queue(capacity + random() % 8);
    std::deque<std::pair<std::uint64_t, Bytes>> model;
    std::size_t used = 0, longest = 0;
    for (std::uint64_t step = 0; step < 1'000; ++step) {
        // Runs of pushes and runs of pops, so that both full and empty are reached.
        if (!model.empty() && random() % 8 == 0) {
            Bytes& newest = model.back().second;
            const Bytes more = random_bytes(random, random() % 40);
            used -= room_for(newest.size());
            if (queue.append(more)) newest.insert(newest.end(), more.begin(), more.end());
            used += room_for(newest.size());
            ASSERT_LE(used, capacity);
            longest = std::max(longest, room_for(newest.size()));
        } else if (random() % 100 < (step / 50 % 2 == 0 ? 70u : 40u)) {
            const Bytes bytes = random_bytes(random, random() % 4 == 0 ? 0 : random() % length_max);
            const std::size_t need = room_for(bytes.size());
            const bool pushed = queue.push(step, bytes);
            ASSERT_TRUE(!model.empty() || pushed == (need <= capacity));
            if (pushed) {
                model.emplace_back(step, bytes);
                used += need;
                ASSERT_LE(used, capacity);
            } else {
                ASSERT_GT(used + need + std::max(need, longest), capacity);
            }
            longest = std::max(longest, need);
        } else if (!model.empty()) {
            used -= room_for(model.front().second.size());
            model.pop_front();
            queue.pop();
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        ASSERT_EQ(queue.front().has_value(), !model.empty());
        ASSERT_TRUE(model.empty() || front_is(queue, model.front().first, model.front().second)) << "step " << step;
    }
}

TEST(RecordQueue, agrees_with_a_deque_of_bounded_size) {
    for (std::uint64_t seed = 1; seed <= 200 && !testing::Test::HasFatalFailure(); ++seed) play(seed);
}

TEST(RecordQueue, accepts_records_until_no_byte_is_left) {
    Queue queue(4 * room_for(8));
    for (std::uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i, Bytes(8)));
    EXPECT_FALSE(queue.push(4, {}));
    EXPECT_EQ(queue.size(), 4u);
}

TEST(RecordQueue, wraps_into_a_gap_of_exactly_its_size_and_is_full_then) {
    Queue queue(4 * room_for(8));
    for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(queue.push(i, Bytes(8)));
    // Head and tail meet at a different position in each round: full must not look like empty.
    for (std::uint64_t i = 4; i < 100; ++i) {
        queue.pop();
        ASSERT_TRUE(queue.push(i, Bytes(8, std::byte(i))));
        ASSERT_FALSE(queue.push(i, {}));
        ASSERT_EQ(queue.front()->header, i - 3);
    }
}

TEST(RecordQueue, stores_records_contiguously) {
    Queue queue(3 * room_for(16));
    for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(queue.push(i, Bytes(16)));
    queue.pop();
    EXPECT_FALSE(queue.push(3, Bytes(17))) << "the gap at the front is too small, and there is none at the end";
    queue.pop();
    EXPECT_TRUE(queue.push(3, Bytes(40, std::byte{3})));
    queue.pop();
    EXPECT_TRUE(front_is(queue, 3, Bytes(40, std::byte{3})));
}

TEST(RecordQueue, empty_records_count) {
    Queue queue(2 * overhead);
    EXPECT_TRUE(queue.push(1, {}));
    EXPECT_TRUE(queue.push(2, {}));
    EXPECT_FALSE(queue.push(3, {}));
    EXPECT_TRUE(front_is(queue, 1, {}));
    queue.pop();
    EXPECT_TRUE(front_is(queue, 2, {}));
    queue.pop();
    EXPECT_TRUE(queue.empty());
}

TEST(RecordQueue, refuses_records_that_never_fit_and_stays_usable) {
    Queue queue(64);
    EXPECT_FALSE(queue.push(1, Bytes(64)));
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.push(2, Bytes(48, std::byte{7})));
    EXPECT_TRUE(front_is(queue, 2, Bytes(48, std::byte{7})));
}

}  // namespace
}  // namespace ringpost
