#include "engine/faces/node_questions.hpp"

#include <gtest/gtest.h>

#include "codec/devices/limits.hpp"

namespace ringpost::devices {
namespace {

Address host(std::uint8_t number) { return Address::v4(10, 0, 0, number, 40'000); }

std::unique_ptr<Notice> question(std::uint64_t number, std::uint8_t from, std::string text = "?") {
    return std::make_unique<Notice>(Notice{.kind = Event::Kind::question,
                                           .name = "",
                                           .text = std::move(text),
                                           .question = {number},
                                           .address = host(from)});
}

TEST(NodeQuestions, one_host_leaves_places_to_others) {
    NodeQuestions questions(16, 8, {});
    std::uint64_t number = 0;
    while (questions.push(question(++number, 1))) continue;
    EXPECT_EQ(number, 15u) << "7 / 8 of the places";
    EXPECT_TRUE(questions.push(question(++number, 2)));
    std::size_t of_first = 0, of_second = 0;
    while (const auto handed = questions.next()) ++(handed->address == host(1) ? of_first : of_second);
    EXPECT_EQ(of_first, 4u) << "half of those in progress, and all hang";
    EXPECT_EQ(of_second, 1u);
    questions.on_done({1});
    EXPECT_TRUE(questions.next()) << "a place is free";
}

TEST(NodeQuestions, hosts_take_turns) {
    NodeQuestions questions(16, 4, {});
    for (std::uint64_t i = 1; i <= 6; ++i) questions.push(question(i, i <= 4 ? 1 : 2));
    std::string order;
    for (std::uint64_t done = 0; order.size() < 6; questions.on_done({done})) {
        const auto handed = questions.next();
        ASSERT_TRUE(handed);
        done = handed->question.number;
        order += handed->address == host(1) ? '1' : '2';
    }
    EXPECT_EQ(order, "121211");
}

TEST(NodeQuestions, closed_ones_free_their_places) {
    NodeQuestions questions(4, 2, {});
    for (std::uint64_t i = 1; questions.push(question(i, 1)); ++i) continue;
    ASSERT_TRUE(questions.next());
    EXPECT_FALSE(questions.next());
    questions.remove_closed([](QuestionId each) { return each.number == 2; });
    const auto next = questions.next();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->question.number, 2u);
    EXPECT_FALSE(questions.waits());
    questions.remove_closed([](QuestionId) { return false; });
    EXPECT_TRUE(questions.empty());
}

TEST(NodeQuestions, bytes_are_bounded) {
    NodeQuestions questions(1'024, 2, {});
    const std::string text(limits::devices_frame_bytes_max, 'x');
    std::size_t pushed = 0;
    while (questions.push(question(pushed + 1, 1, text))) ++pushed;
    EXPECT_EQ(pushed, limits::devices_questions_bytes / text.size());
}

}  // namespace
}  // namespace ringpost::devices
