#include "codec/confirmed/endpoint.hpp"

#include <gtest/gtest.h>

#include "tests/unit/codec/confirmed/helpers.hpp"

namespace ringpost::confirmed {
namespace {

TEST(ConfirmedEndpoint, a_message_becomes_an_event_and_is_confirmed) {
    Turning turning(options_toward(bob));
    turning.receive(elsewhere(bob), "hello", Status::none);
    const auto event = turning.endpoint.poll_event();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, Event::Kind::message);
    EXPECT_EQ(event->message, text_value("hello"));
    EXPECT_EQ(event->status, Status::none);
    EXPECT_EQ(event->peer, elsewhere(bob));
    EXPECT_EQ(turning.turn(), Texts{"2:5005 +confirmed"}) << "to the target, regardless of the source port";
    EXPECT_EQ(turning.turn(), Texts{});
    EXPECT_EQ(turning.endpoint.counters().delivered, 1u);
    EXPECT_EQ(turning.endpoint.counters().replies_sent, 1u);
}

TEST(ConfirmedEndpoint, messages_may_be_any_value) {
    Turning turning(options_toward(bob));
    turning.receive_raw(bob, R"({"message":[1,{"a":null}],"status":null})");
    turning.receive_raw(bob, R"({"message":{"message":"initialize"},"status":null})");
    EXPECT_EQ(turning.events(), (Texts{R"(message [1,{"a":null}])", R"(message {"message":"initialize"})"}));
    EXPECT_EQ(turning.turn().size(), 2u);
}

TEST(ConfirmedEndpoint, destinations_of_confirmations) {
    const Address other_peer = Address::v4(10, 0, 0, 9, 7'777);
    const struct {
        Reply reply;
        Address target;
        std::uint16_t peer_port;
        Address source;
        const char* reply_to;
    } table[] = {
        {Reply::to_port, elsewhere(bob, 6'000), 5'005, elsewhere(bob), "2:6000 +confirmed"},
        {Reply::to_port, elsewhere(bob, 6'000), 5'005, other_peer, "9:5005 +confirmed"},
        {Reply::to_port, elsewhere(bob, 6'000), 6'001, other_peer, "9:6001 +confirmed"},
        {Reply::to_port, {}, 5'005, other_peer, "9:5005 +confirmed"},
        {Reply::to_source, elsewhere(bob, 6'000), 5'005, elsewhere(bob), "2:40000 +confirmed"},
        {Reply::to_source, {}, 5'005, other_peer, "9:7777 +confirmed"},
    };
    for (const auto& row : table) {
        Options options = options_toward(row.target);
        options.reply = row.reply;
        options.peer_port = row.peer_port;
        Turning turning(options);
        turning.receive(row.source, "hello", Status::none);
        EXPECT_EQ(turning.turn(), Texts{row.reply_to});
    }
}

TEST(ConfirmedEndpoint, each_copy_is_a_message) {
    Turning turning(options_toward(bob));
    for (int i = 0; i < 3; ++i) turning.receive(bob, "hello", Status::none);
    EXPECT_EQ(turning.events().size(), 3u);
    EXPECT_EQ(turning.turn().size(), 3u);
}

TEST(ConfirmedEndpoint, an_unexpected_confirmation_is_dropped_and_an_unexpected_failure_is_reported) {
    Turning turning(options_toward(bob));
    turning.receive(bob, "confirmed", Status::ok);
    turning.receive(bob, "disk full", Status::failed);
    EXPECT_EQ(turning.events(), Texts{"message -disk full"});
    EXPECT_EQ(turning.turn(), Texts{}) << "neither is answered";
    EXPECT_EQ(turning.endpoint.counters().answers_stray, 2u);
    // A late failure report is reported as well.
    ASSERT_TRUE(turning.send("one", {.timeout = second}));
    turning.turn();
    turning.turn_after(second);
    turning.receive(bob, "disk full", Status::failed);
    EXPECT_EQ(turning.events(), (Texts{"1 timed out", "message -disk full"}));
    EXPECT_EQ(turning.endpoint.counters().answers_late, 1u);
}

TEST(ConfirmedEndpoint, malformed_datagrams_are_counted_by_error_and_dropped) {
    Turning turning(options_toward(bob));
    for (const char* bytes : {"", "{}", "{}", "[]", "\xff", R"({"message":1,"status":2})"})
        turning.receive_raw(bob, bytes);
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.turn(), Texts{});
    const Counters& counts = turning.endpoint.counters();
    const auto malformed = [&](FrameError error) { return counts.malformed[static_cast<std::size_t>(error)]; };
    EXPECT_EQ(counts.received, 6u);
    EXPECT_EQ(malformed(FrameError::not_json), 1u);
    EXPECT_EQ(malformed(FrameError::missing_member), 2u);
    EXPECT_EQ(malformed(FrameError::not_an_object), 1u);
    EXPECT_EQ(malformed(FrameError::not_utf8), 1u);
    EXPECT_EQ(malformed(FrameError::wrong_status), 1u);
}

TEST(ConfirmedEndpoint, initialize_sets_the_target_of_an_endpoint_without_one) {
    Turning turning(options_toward({}));
    EXPECT_EQ(turning.send("hello").error().reason, Refusal::no_target);
    turning.receive(elsewhere(bob), "initialize", Status::none);
    EXPECT_EQ(turning.events(), Texts{"target 5005"});
    EXPECT_EQ(turning.endpoint.target(), bob);
    EXPECT_EQ(turning.turn(), Texts{"2:5005 +initialization complete"});
    ASSERT_TRUE(turning.send("hello"));
    EXPECT_EQ(turning.turn(), Texts{"2:5005 hello"});
    // The reply was lost: the peer asks again, and nothing changes.
    turning.receive(elsewhere(bob, 40'001), "initialize", Status::none);
    EXPECT_EQ(turning.events(), Texts{});
    EXPECT_EQ(turning.turn(), Texts{"2:5005 +initialization complete"});
    EXPECT_EQ(turning.endpoint.counters().initialized, 2u);
}

TEST(ConfirmedEndpoint, initialize_from_another_peer_is_an_ordinary_message) {
    Turning turning(options_toward(bob));
    turning.receive(alice, "initialize", Status::none);
    EXPECT_EQ(turning.events(), Texts{"message initialize"});
    EXPECT_EQ(turning.turn(), Texts{"1:5005 +confirmed"});
    EXPECT_EQ(turning.endpoint.target(), bob);
}

TEST(ConfirmedEndpoint, a_target_can_be_replaced_if_configured) {
    Options options = options_toward(bob);
    options.retarget = true;
    options.reply = Reply::to_source;
    Turning turning(options);
    turning.receive(elsewhere(alice), "initialize", Status::none);
    EXPECT_EQ(turning.events(), Texts{"target 40000"});
    EXPECT_EQ(turning.turn(), Texts{"1:40000 +initialization complete"});
    EXPECT_EQ(turning.endpoint.target(), elsewhere(alice));
}

TEST(ConfirmedEndpoint, only_the_neutral_text_initializes) {
    Turning turning(options_toward({}));
    turning.receive(bob, "initialize", Status::ok);
    turning.receive(bob, "initialize", Status::failed);
    turning.receive(bob, "Initialize", Status::none);
    turning.receive_raw(bob, R"({"message":["initialize"],"status":null})");
    EXPECT_EQ(turning.endpoint.target().family, Family::none);
}

TEST(ConfirmedEndpoint, initialize_can_be_sent) {
    Turning asking(options_toward(bob)), asked(options_toward({}));
    ASSERT_TRUE(asking.send("initialize"));
    ASSERT_EQ(asking.turn(), Texts{"2:5005 initialize"});
    asked.receive(alice, "initialize", Status::none);
    ASSERT_EQ(asked.turn(), Texts{"1:5005 +initialization complete"});
    asking.receive(bob, "initialization complete", Status::ok);
    EXPECT_EQ(asking.events(), Texts{"1 confirmed initialization complete"});
    EXPECT_EQ(asked.endpoint.target(), alice);
}

TEST(ConfirmedEndpoint, a_message_without_space_is_answered_with_a_failure) {
    Options options = options_toward(bob);
    options.event_bytes = sizeof(Event) + 10;
    Turning turning(options);
    turning.receive(bob, "0123456789", Status::none);
    turning.receive(bob, "x", Status::none);
    turning.receive(bob, "a failure", Status::failed);
    EXPECT_EQ(turning.turn(), (Texts{"2:5005 +confirmed", "2:5005 -too many messages wait here"}));
    EXPECT_EQ(turning.events(), Texts{"message 0123456789"});
    turning.receive(bob, "x", Status::none);
    EXPECT_EQ(turning.events(), Texts{"message x"});
    const Counters& counts = turning.endpoint.counters();
    EXPECT_EQ(counts.app_behind, 1u);
    EXPECT_EQ(counts.failures_lost, 1u);
    EXPECT_EQ(counts.delivered, 2u);
}

TEST(ConfirmedEndpoint, a_message_that_cannot_be_confirmed_is_not_delivered) {
    Options options = options_toward({});
    options.replies_max = 2;
    Turning turning(options);
    for (const char* text : {"one", "two", "three"}) turning.receive(bob, text, Status::none);
    turning.receive(bob, "initialize", Status::none);
    EXPECT_EQ(turning.events(), (Texts{"message one", "message two"}));
    EXPECT_EQ(turning.endpoint.counters().replies_full, 2u);
    EXPECT_EQ(turning.endpoint.target().family, Family::none);
    EXPECT_EQ(turning.turn().size(), 2u);
    turning.receive(bob, "three", Status::none);
    EXPECT_EQ(turning.events(), Texts{"message three"});
}

TEST(ConfirmedEndpoint, replies_are_sent_before_messages) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("mine"));
    turning.receive(bob, "yours", Status::none);
    EXPECT_EQ(turning.turn(), (Texts{"2:5005 +confirmed", "2:5005 mine"}));
}

TEST(ConfirmedEndpoint, one_event_can_be_awaited) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one"));
    ASSERT_TRUE(turning.send("two"));
    turning.turn();
    turning.receive(bob, "hello", Status::none);
    EXPECT_FALSE(turning.endpoint.take_outcome(2));
    turning.receive(bob, "confirmed", Status::ok);
    turning.turn();
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(Turning::text_of(turning.endpoint.take_outcome(2).value()), "2 confirmed confirmed");
    EXPECT_EQ(Turning::text_of(turning.endpoint.take_message().value()), "message hello");
    EXPECT_EQ(turning.events(), Texts{"1 confirmed confirmed"});
}

TEST(ConfirmedEndpoint, outcomes_and_other_events_can_be_taken_apart) {
    Turning turning(options_toward(bob));
    ASSERT_TRUE(turning.send("one"));
    turning.turn();
    turning.receive(bob, "hello", Status::none);
    EXPECT_FALSE(turning.endpoint.take_outcome());
    turning.receive(bob, "confirmed", Status::ok);
    EXPECT_EQ(Turning::text_of(turning.endpoint.take_other().value()), "message hello");
    EXPECT_FALSE(turning.endpoint.take_other());
    EXPECT_EQ(Turning::text_of(turning.endpoint.take_outcome().value()), "1 confirmed confirmed");
}

TEST(ConfirmedEndpoint, unknown_senders_are_not_stored) {
    Turning turning(options_toward({}));
    for (int i = 0; i < 10'000; ++i) {
        const Address other_peer =
            Address::v4(10, 1, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i), 9);
        turning.receive(other_peer, "hello", Status::none);
        turning.receive(other_peer, "confirmed", Status::ok);
        turning.turn();
        turning.events();
    }
    EXPECT_EQ(turning.endpoint.peers(), 0u);
    EXPECT_EQ(turning.endpoint.counters().delivered, 10'000u);
}

}  // namespace
}  // namespace ringpost::confirmed
