#include "tests/unit/codec/devices/endpoint_fixture.hpp"

namespace ringpost::devices {
namespace {

TEST_F(DevicesEndpoint, connects_to_the_higher_name_only) {
    advert("hello:,:z", at(2, 50'000));
    advert("hello:,:a", at(3));
    const auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::connect);
    EXPECT_EQ(asked[0].request.peer, at(2, 4'112));
    const StreamIndex stream = asked[0].request.stream;
    input(stream, Input::connected);
    EXPECT_EQ(written(), "m/EOLPiNg/EOL") << "in one write";
    input(stream, "z/EOLMeSsAgE:,:ready/EOL");
    EXPECT_EQ(events(), (Lines{"appeared z", "appeared a", "connected z", "message z ready"}));
    EXPECT_FALSE(endpoint.peers()[0].is_ringpost);
}

TEST_F(DevicesEndpoint, recognises_ringpost_by_the_ping_behind_the_name) {
    struct Case {
        const char *first, *second;
        Duration between;
        bool is_ringpost;
    };
    const Case cases[] = {
        {"a/EOLPiNg/EOL", "", 0, true},
        {"a/EOLPi", "Ng/EOL", second, true},
        {"a/EOL", "PiNg/EOL", second + 1, false},  // the original program may ping as well, but later
        {"a/EOLMeSsAgE:,:x/EOL", "PiNg/EOL", 0, false},
        {"a/EOLMeSsAgE:,:PiNg/EOL", "", 0, false},
    };
    for (const auto& [first, then, between, is_ringpost] : cases) {
        const StreamIndex stream = *endpoint.accept(now, at(2, 40'000));
        input(stream, first);
        now += between;
        if (*then != 0) input(stream, then);
        EXPECT_EQ(endpoint.peers()[0].is_ringpost, is_ringpost) << first << then;
        input(stream, Input::closed);
        events();
        now += second;
    }
}

TEST_F(DevicesEndpoint, a_connection_that_is_never_established_is_given_up_and_retried) {
    advert("alive:,:z", at(2));
    const StreamIndex stream = requests()[0].request.stream;
    pass(second);
    auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::close);
    EXPECT_EQ(asked[0].request.stream, stream);
    EXPECT_EQ(endpoint.peers()[0].last_cause, Cause::connect_timeout);
    pass(5 * second);
    EXPECT_TRUE(requests().empty()) << "nothing has paid for it";
    advert("alive:,:z", at(2));
    asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::connect);
}

TEST_F(DevicesEndpoint, of_two_connections_the_one_of_the_lower_name_remains) {
    // Our name is lower than z: our connection remains, whichever is established first.
    for (const bool ours_first : {true, false}) {
        advert("hello:,:z", at(2));
        const StreamIndex dialled = requests()[0].request.stream;
        const StreamIndex accepted = *endpoint.accept(now, at(2, 40'000));
        const auto name_dialled = [&] {
            input(dialled, Input::connected);
            input(dialled, "z/EOL");
        };
        if (ours_first) name_dialled();
        input(accepted, "z/EOL");
        if (!ours_first) {
            EXPECT_TRUE(endpoint.peers()[0].connected) << "better than none";
            name_dialled();
        }
        EXPECT_TRUE(is_closed(accepted));
        EXPECT_TRUE(endpoint.peers()[0].connected);
        input(dialled, "MeSsAgE:,:x/EOLquitQUITquit/EOL");
        const auto sent = events();
        EXPECT_EQ(std::ranges::count(sent, "message z x"), 1);
        EXPECT_EQ(sent.back(), "gone z");
        requests();
        now += second;
    }
    // Our name is higher than a: the newer connection remains.
    const StreamIndex older = connected("a", 3), newer = *endpoint.accept(now, at(3, 40'001));
    input(newer, "a/EOLMeSsAgE:,:new/EOL");
    EXPECT_TRUE(is_closed(older));
    EXPECT_EQ(events(), (Lines{"disconnected a", "connected a", "message a new"}));
    EXPECT_EQ(ended(Cause::duplicate), 3u);
}

// Connecting first under a name does not keep it from the host that announces it.
TEST_F(DevicesEndpoint, the_host_that_sends_the_adverts_owns_the_name) {
    advert("alive:,:a", at(3));
    const StreamIndex usurper = connected("a", 9);
    const StreamIndex announced = *endpoint.accept(now, at(3, 40'000));
    input(announced, "a/EOLPiNg/EOL");
    EXPECT_TRUE(is_closed(usurper));
    EXPECT_EQ(ended(Cause::name_conflict), 1u);
    const auto reported = events();
    EXPECT_EQ(reported.back(), "connected a");
    EXPECT_EQ(std::ranges::count(reported, "disconnected a"), 1);
    ASSERT_EQ(endpoint.peers().size(), 1u);
    EXPECT_EQ(endpoint.peers()[0].address, at(3));
    // A third host with that name changes nothing.
    const StreamIndex third = *endpoint.accept(now, at(8, 40'000));
    input(third, "a/EOLPiNg/EOL");
    EXPECT_TRUE(is_closed(third));
    EXPECT_EQ(ended(Cause::name_conflict), 2u);
    EXPECT_EQ(endpoint.peers()[0].address, at(3));
}

TEST_F(DevicesEndpoint, a_stream_index_is_reused_after_the_driver_has_closed_it) {
    const StreamIndex first = *endpoint.accept(now, at(2, 40'000));
    input(first, "/EOL");  // invalid, so it is to be closed
    const StreamIndex second_one = *endpoint.accept(now, at(2, 40'001));
    EXPECT_NE(first, second_one) << "the driver has not polled the close yet";
    input(first, "a/EOL");  // the driver may still report this
    input(first, Input::written);
    EXPECT_TRUE(is_closed(first));
    EXPECT_EQ(*endpoint.accept(now, at(2, 40'002)), first);
    EXPECT_EQ(requests().size(), 1u) << "only the greeting of the new one";
    // Both sides ended it at once: no close request, and the index is free.
    input(second_one, "/EOL");
    input(second_one, Input::closed, StreamEnd::reset);
    EXPECT_FALSE(is_closed(second_one));
    EXPECT_EQ(*endpoint.accept(now, at(2, 40'003)), second_one);
}

TEST_F(DevicesEndpoint, ringpost_peers_receive_many_frames_per_write_and_others_one) {
    connected("a", 2);
    connected("b", 3, PeerKind::compatible);
    now += second;
    for (int i = 0; i < 3; ++i) endpoint.send_all(now, std::to_string(i));
    std::vector<std::string> writes;
    for (const Wanted& asked : requests()) {
        writes.push_back(asked.text);
        input(asked.request.stream, Input::written);
    }
    EXPECT_EQ(writes, (std::vector<std::string>{"MeSsAgE:,:0/EOLMeSsAgE:,:1/EOLMeSsAgE:,:2/EOL", "MeSsAgE:,:0/EOL"}));
    EXPECT_EQ(written(), "");
    pass(20 * millisecond - 1);
    EXPECT_EQ(written(), "");
    pass(1);
    EXPECT_EQ(written(), "MeSsAgE:,:1/EOL");
    pass(20 * millisecond);
    EXPECT_EQ(written(), "MeSsAgE:,:2/EOL");
}

TEST_F(DevicesEndpoint, a_greeting_is_written_alone) {
    const StreamIndex stream = *endpoint.accept(now, at(2, 40'000));
    input(stream, "a/EOL");
    EXPECT_EQ(endpoint.send(now, "a", "early"), Sent::queued);
    const auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].text, "m/EOLPiNg/EOL");
}

TEST_F(DevicesEndpoint, answers_a_question_once) {
    const StreamIndex stream = connected("a", 2);
    input(stream, "QuEsTiOn:,:7:,:one?/EOLQuEsTiOn:,:8:,:two?/EOL");
    EXPECT_EQ(events(), (Lines{"question a one?", "question a two?"}));
    EXPECT_EQ(endpoint.answer(now, last_question, "/EOL"), Sent::cannot_carry);
    EXPECT_EQ(endpoint.answer(now, last_question, "2"), Sent::queued);
    EXPECT_EQ(endpoint.answer(now, last_question, "2"), Sent::expired);
    EXPECT_EQ(endpoint.answer(now, {last_question.number - 1}, "1"), Sent::queued);
    EXPECT_EQ(endpoint.answer(now, {12'345}, "?"), Sent::expired);
    EXPECT_EQ(written(), "AnSwEr:,:8:,:2/EOLAnSwEr:,:7:,:1/EOL");
    input(stream, "QuEsTiOn:,:9:,:three?/EOL");
    input(stream, Input::closed);
    events();
    EXPECT_EQ(endpoint.answer(now, last_question, "3"), Sent::not_connected);
}

TEST_F(DevicesEndpoint, an_ask_reports_for_each_name_why_there_is_no_answer) {
    connected("b", 3, PeerKind::compatible);
    const std::string large(600, 'x');
    const std::string_view names[] = {"b", "nobody"};
    EXPECT_EQ(endpoint.ask(now, names, "/EOL", now).error(), AskRefusal::cannot_carry);
    ASSERT_TRUE(endpoint.ask(now, names, large, now + second));
    const auto event = endpoint.poll_event();
    ASSERT_TRUE(event && event->kind == Kind::answers);
    EXPECT_EQ(event->answers[0].reply, Reply::too_large);
    EXPECT_EQ(event->answers[1].reply, Reply::not_connected);
    ASSERT_TRUE(endpoint.ask(now, {}, "?", now + second));
    EXPECT_EQ(events(), Lines{"answers "}) << "no names were asked";
    ASSERT_TRUE(endpoint.ask_all(now, "?", now + second));
    EXPECT_EQ(written(), "QuEsTiOn:,:2:,:?/EOL") << "the key of the one that was too large is not used";
    pass(second);
    EXPECT_EQ(events(), Lines{"answers "});
    EXPECT_EQ(events(), Lines{});
}

TEST_F(DevicesEndpoint, events_are_reported_in_order) {
    const StreamIndex first = connected("a", 2);
    input(first, "MeSsAgE:,:1/EOL");
    input(first, "MeSsAgE:,:2/EOLquitQUITquit/EOL");
    input(first, Input::closed);
    const StreamIndex again = *endpoint.accept(now, at(2, 40'001));
    EXPECT_NE(again, first) << "its frames have not been polled";
    input(again, "a/EOLMeSsAgE:,:3/EOL");
    EXPECT_EQ(events(), (Lines{"message a 1", "message a 2", "disconnected a", "suspect a", "back a", "connected a",
                               "message a 3"}));
}

TEST_F(DevicesEndpoint, sends_goodbye_and_finishes) {
    const StreamIndex a = connected("a", 2), stalled = connected("b", 3);
    const StreamIndex unnamed = *endpoint.accept(now, at(4, 40'000));
    advert("hello:,:z", at(5));
    written();
    endpoint.send(now, "a", "last");
    endpoint.close(now);
    endpoint.close(now);
    EXPECT_FALSE(endpoint.accept(now, at(2, 40'000)));
    EXPECT_EQ(endpoint.send(now, "a", "later"), Sent::not_connected);
    std::string sent;
    for (const Wanted& asked : requests()) {
        if (asked.request.stream == a) {
            sent += asked.text;
            input(a, Input::written);
        }
    }
    EXPECT_EQ(sent, "MeSsAgE:,:last/EOLquitQUITquit/EOL");
    EXPECT_FALSE(endpoint.finished()) << "b has not received its goodbye";
    pass(2 * second);
    requests();
    EXPECT_TRUE(endpoint.finished());
    EXPECT_EQ(endpoint.poll_transmit(now, buffer), std::nullopt);
    EXPECT_EQ(ended(Cause::closed), 4u);
    (void)stalled, (void)unnamed;
}

}  // namespace
}  // namespace ringpost::devices
