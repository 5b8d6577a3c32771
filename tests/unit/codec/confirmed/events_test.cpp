#include "codec/confirmed/events.hpp"

#include <gtest/gtest.h>

namespace ringpost::confirmed {
namespace {

Event message(std::string_view text) { return {.kind = Event::Kind::message, .message = Value::of_text(text).value()}; }
Event outcome(SendNumber number) {
    Event event{.kind = Event::Kind::outcome, .message = {}};
    event.number = number;
    return event;
}

TEST(ConfirmedEvents, outcomes_come_first_and_each_kind_in_order) {
    Events events(10'000);
    EXPECT_TRUE(events.push(message("one")));
    events.push_outcome(outcome(7));
    EXPECT_TRUE(events.push(message("two")));
    events.push_outcome(outcome(8));
    EXPECT_EQ(events.outcomes(), 2u);
    EXPECT_EQ(events.pop()->number, 7u);
    EXPECT_EQ(events.pop()->number, 8u);
    EXPECT_EQ(events.pop()->message.text(), "one");
    EXPECT_EQ(events.pop()->message.text(), "two");
    EXPECT_FALSE(events.pop());
}

TEST(ConfirmedEvents, single_events_can_be_taken) {
    Events events(10'000);
    EXPECT_TRUE(events.push({.kind = Event::Kind::target, .message = {}}));
    EXPECT_TRUE(events.push(message("one")));
    EXPECT_TRUE(events.push(message("two")));
    for (const SendNumber number : {7u, 8u, 9u}) events.push_outcome(outcome(number));
    EXPECT_FALSE(events.pop_outcome(6));
    EXPECT_EQ(events.pop_outcome(8)->number, 8u);
    EXPECT_EQ(events.pop_message()->message.text(), "one") << "the target event before it is dropped";
    EXPECT_EQ(events.pop()->number, 7u);
    EXPECT_EQ(events.pop()->number, 9u);
    EXPECT_EQ(events.pop_message()->message.text(), "two");
    EXPECT_FALSE(events.pop_message());
}

TEST(ConfirmedEvents, taken_events_free_their_space) {
    Events events(2 * sizeof(Event) + 10);
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(events.push(message("12345")));
        EXPECT_TRUE(events.push(message("12345")));
        EXPECT_FALSE(events.push(message("")));
        events.push_outcome(outcome(1));  // outcomes always fit
        EXPECT_TRUE(events.pop());
        EXPECT_EQ(events.pop()->message.text(), "12345");
        EXPECT_FALSE(events.push(message("123456")));
        EXPECT_TRUE(i % 2 == 0 ? events.pop() : events.pop_message());
    }
}

}  // namespace
}  // namespace ringpost::confirmed
