#include "codec/devices/questions.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ringpost::devices {
namespace {

TEST(DevicesKeys, are_not_reused_while_in_progress) {
    Keys keys;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 9'999; ++i) {
        const auto key = keys.take(Keys::Range::compatible);
        ASSERT_TRUE(key && *key >= 1 && *key <= 9'999);
        ASSERT_TRUE(seen.insert(*key).second);
        keys.insert(*key, {{0, 0}, static_cast<std::uint32_t>(i)});
    }
    EXPECT_EQ(keys.take(Keys::Range::compatible), std::nullopt);
    EXPECT_EQ(keys.take(Keys::Range::full), 10'000u) << "ringpost peers accept any number";
    EXPECT_EQ(keys.remove(4'711)->position, 4'710u);
    EXPECT_FALSE(keys.remove(4'711));
    EXPECT_EQ(keys.take(Keys::Range::compatible), 4'711u);
}

TEST(DevicesKeys, a_freed_key_is_reused_last) {
    Keys keys;
    const std::uint64_t first = *keys.take(Keys::Range::compatible);
    keys.insert(first, {});
    keys.remove(first);
    for (int i = 0; i < 9'998; ++i) ASSERT_NE(*keys.take(Keys::Range::compatible), first);
    EXPECT_EQ(*keys.take(Keys::Range::compatible), first);
}

TEST(DevicesAsks, end_with_the_last_of_their_names) {
    Asks asks(0);
    const AskId id = *asks.open(2, 100);
    const Asked a = asks.add(id, "a"), b = asks.add(id, "b");
    EXPECT_FALSE(asks.settle(b, Reply::answered, "yes"));
    EXPECT_TRUE(asks.settle(a, Reply::not_connected));
    EXPECT_EQ(asks.next_timeout(), std::nullopt);
    const auto answers = asks.answers(id.index);
    EXPECT_EQ(answers[0].name, "a");
    EXPECT_EQ(answers[0].reply, Reply::not_connected);
    EXPECT_EQ(answers[1].text, "yes");
    asks.release(id.index);
    EXPECT_NE(*asks.open(1, 100), id) << "a reused index has a new generation";
}

TEST(DevicesAsks, end_at_their_deadline) {
    Asks asks(0);
    const AskId id = *asks.open(3, 100);
    for (const char* name : {"a", "b", "c"}) asks.set_key(asks.add(id, name), 7, 70);
    asks.settle({id, 1}, Reply::answered, "yes");
    std::size_t evicted = 0, ended = 0;
    const auto expire = [&](Instant now) {
        asks.expire(
            now,
            [&](StreamIndex stream, std::uint64_t key) {
                EXPECT_EQ(stream, 7u);
                EXPECT_EQ(key, 70u);
                ++evicted;
            },
            [&](std::uint32_t index) {
                EXPECT_EQ(index, id.index);
                ++ended;
            });
    };
    expire(99);
    EXPECT_EQ(ended, 0u);
    expire(100);
    expire(200);
    EXPECT_EQ(evicted, 2u);
    EXPECT_EQ(ended, 1u);
    EXPECT_EQ(asks.answers(id.index)[0].reply, Reply::timed_out);
    EXPECT_EQ(asks.answers(id.index)[1].reply, Reply::answered);
}

TEST(DevicesAsks, are_bounded) {
    Asks asks(0);
    EXPECT_EQ(asks.open(limits::devices_asked_max + 1, 1).error(), AskRefusal::full);
    std::vector<AskId> open;
    for (std::uint32_t i = 0; i < limits::devices_asks_max; ++i) open.push_back(*asks.open(0, 1));
    EXPECT_EQ(asks.open(0, 1).error(), AskRefusal::full);
    asks.release(open[17].index);
    EXPECT_TRUE(asks.open(0, 1));
}

TEST(DevicesAsks, limit_the_bytes_of_answers) {
    Asks asks(0);
    const std::size_t fit = limits::devices_answer_bytes_max / limits::devices_frame_bytes_max;
    const AskId id = *asks.open(fit + 1, 1);
    const std::string text(limits::devices_frame_bytes_max, 'x');
    for (std::size_t i = 0; i <= fit; ++i) asks.add(id, "a");
    for (std::uint32_t i = 0; i <= fit; ++i) asks.settle({id, i}, Reply::answered, text);
    EXPECT_EQ(asks.answers(id.index)[fit - 1].reply, Reply::answered);
    EXPECT_EQ(asks.answers(id.index)[fit].reply, Reply::no_room);
    asks.release(id.index);
    const AskId again = *asks.open(1, 1);
    asks.settle(asks.add(again, "a"), Reply::answered, text);
    EXPECT_EQ(asks.answers(again.index)[0].reply, Reply::answered);
}

TEST(DevicesInquiries, are_kept_for_a_minute) {
    Inquiries inquiries({});
    const Address host = Address::v4(10, 0, 0, 2, 1);
    EXPECT_EQ(inquiries.find(0, {0}), nullptr);
    EXPECT_EQ(inquiries.find(0, {1}), nullptr);
    const QuestionId first = *inquiries.add(0, host, {3, 33, 333});
    ASSERT_NE(inquiries.find(59 * second, first), nullptr);
    EXPECT_EQ(inquiries.find(59 * second, first)->key, 333u);
    EXPECT_EQ(inquiries.find(60 * second, first), nullptr);
    EXPECT_EQ(inquiries.expire(59 * second), 0u);
    EXPECT_EQ(inquiries.expire(60 * second), 1u);
    inquiries.remove(first);
    const QuestionId next = *inquiries.add(0, host, {3, 33, 334});
    inquiries.remove(next);
    EXPECT_EQ(inquiries.find(0, next), nullptr);
}

TEST(DevicesInquiries, places_are_shared_and_freed) {
    Inquiries inquiries({});
    const Address greedy = Address::v4(10, 0, 0, 2, 1), other = Address::v4(10, 0, 0, 3, 1);
    std::size_t held = 0;
    std::optional<QuestionId> oldest;
    while (const auto added = inquiries.add(0, greedy, {3, 33, held})) {
        if (held++ == 0) oldest = added;
    }
    EXPECT_EQ(held, limits::devices_questions_max / 8 * 7);
    EXPECT_NE(inquiries.find(0, *oldest), nullptr) << "further questions cost no earlier one its place";
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(inquiries.add(0, other, {4, 44, i}));
    EXPECT_EQ(inquiries.remove_of(33), held) << "its connection has ended";
    EXPECT_TRUE(inquiries.add(0, greedy, {5, 55, 1}));
}

}  // namespace
}  // namespace ringpost::devices
