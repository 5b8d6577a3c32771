#include "codec/gtudp/inbox.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

constexpr auto message = Event::Kind::message, foreign = Event::Kind::foreign;

std::string taken(Inbox& inbox) {
    const auto messages = inbox.poll_messages();
    if (!messages) return "";
    return name_of(messages->peer) + " " + std::to_string(messages->message_bytes) + ": " +
           std::string(text_of(messages->bytes));
}

std::string next_event(Inbox& inbox) {
    const auto event = inbox.poll_event();
    return event ? name_of(event->peer) + ": " + std::string(text_of(event->bytes)) : "";
}

TEST(GtudpInbox, messages_that_join_are_taken_together_or_one_by_one) {
    Inbox inbox(4'096);
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(inbox.push(bob, message, bytes_of("one")));
        EXPECT_TRUE(inbox.push(bob, message, bytes_of("two"), true));
        EXPECT_TRUE(inbox.push(bob, message, bytes_of("six"), true));
        EXPECT_TRUE(inbox.push(carol, message, bytes_of("ten")));
    }
    EXPECT_EQ(taken(inbox), "bob 3: onetwosix");
    EXPECT_EQ(taken(inbox), "carol 3: ten");
    EXPECT_EQ(next_event(inbox), "bob: one");
    EXPECT_EQ(next_event(inbox), "bob: two");
    EXPECT_EQ(taken(inbox), "bob 3: six") << "the rest";
    EXPECT_EQ(next_event(inbox), "carol: ten");
    EXPECT_EQ(next_event(inbox), "");
    EXPECT_EQ(taken(inbox), "");
}

TEST(GtudpInbox, other_lengths_and_empty_messages_are_alone) {
    Inbox inbox(4'096);
    for (const char* text : {"", "", "aa", "b", "cc"}) EXPECT_TRUE(inbox.push(bob, message, bytes_of(text), true));
    for (const char* expected : {"bob 0: ", "bob 0: ", "bob 2: aa", "bob 1: b", "bob 2: cc", ""})
        EXPECT_EQ(taken(inbox), expected);
}

TEST(GtudpInbox, a_foreign_datagram_is_an_event) {
    Inbox inbox(4'096);
    EXPECT_TRUE(inbox.push(bob, foreign, bytes_of("x")));
    EXPECT_TRUE(inbox.push(bob, message, bytes_of("y")));
    EXPECT_EQ(taken(inbox), "");
    EXPECT_EQ(next_event(inbox), "bob: x");
    EXPECT_EQ(taken(inbox), "bob 1: y");
}

// Every message that was accepted is taken once, in order, whatever the space left.
TEST(GtudpInbox, agrees_with_a_queue_of_messages) {
    Random random(3);
    Inbox inbox(1'024);
    std::deque<Bytes> expected;
    bool joins = false;
    std::uint64_t refused = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (random() % 100 < (step / 200 % 2 == 0 ? 90u : 40u)) {
            const Bytes bytes = random_bytes(random, random() % 8 == 0 ? random() % 300 : 24);
            const bool room = inbox.has_room(bytes.size());
            const bool pushed = inbox.push(bob, message, bytes, joins);
            ASSERT_TRUE(pushed || !room);
            if (pushed) expected.push_back(bytes);
            refused += !pushed;
            joins = pushed;
            continue;
        }
        joins = false;
        EXPECT_EQ(inbox.next_message_bytes(), expected.empty() ? 0 : expected.front().size());
        std::vector<Bytes> out;
        if (random() % 2 == 0) {
            if (const auto event = inbox.poll_event()) out.emplace_back(event->bytes.begin(), event->bytes.end());
        } else if (const std::size_t at_most = 1 + random() % 4; const auto messages = inbox.poll_messages(at_most)) {
            EXPECT_LE(messages->bytes.size(), at_most * messages->message_bytes);
            EXPECT_EQ(messages->message_bytes, expected.front().size());
            for_each_segment({.source = bob, .bytes = messages->bytes}, messages->message_bytes,
                             [&](const Datagram& each) { out.emplace_back(each.bytes.begin(), each.bytes.end()); });
        }
        ASSERT_EQ(out.empty(), expected.empty());
        for (const Bytes& bytes : out) {
            ASSERT_FALSE(expected.empty());
            ASSERT_EQ(bytes, expected.front());
            expected.pop_front();
        }
    }
    EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace ringpost::gtudp
