#include "codec/devices/endpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/helpers.hpp"

namespace ringpost::devices {
namespace {

using Kind = Event::Kind;
using Request = StreamRequest::Kind;
using Input = StreamInput::Kind;

const Address own = Address::v4(10, 0, 0, 1, 3'235);

Address at(unsigned host, std::uint16_t port = 3'235) {
    return Address::v4(10, 0, 0, static_cast<std::uint8_t>(host), port);
}

/// What the endpoint `m` asked of its driver, and told.
struct Asked {
    StreamRequest request;
    std::string text;
};

struct DevicesEndpoint : testing::Test {
    static Options options() {
        Options out;
        out.name = "m";
        out.streams_max = 2'048;
        return out;
    }

    DevicesEndpoint() { endpoint.add_interface(now, 0, own); }

    void advert(const std::string& text, const Address& from, SocketIndex socket = 0) {
        endpoint.handle(now, Datagram{from, socket, bytes_of(text)});
    }
    void input(StreamIndex stream, std::string_view text) {
        const Bytes bytes = bytes_of(text);
        endpoint.handle(now, StreamInput{.kind = Input::bytes, .stream = stream, .bytes = bytes});
    }
    void input(StreamIndex stream, Input kind, StreamEnd end = StreamEnd::finished) {
        endpoint.handle(now, StreamInput{.kind = kind, .stream = stream, .bytes = {}, .end = end});
    }
    std::vector<Asked> requests() {
        std::vector<Asked> out;
        while (const auto request = endpoint.poll_stream(now, buffer))
            out.push_back({*request, {reinterpret_cast<const char*>(buffer.data()), request->bytes}});
        return out;
    }
    /// Everything that is written, each write taken at once.
    std::string written() {
        std::string out;
        for (bool more = true; more;) {
            more = false;
            for (const Asked& asked : requests()) {
                if (asked.request.kind != Request::write) continue;
                out += asked.text;
                input(asked.request.stream, Input::written);
                more = true;
            }
        }
        return out;
    }
    bool is_closed(StreamIndex stream) {
        const auto all = requests();
        return std::ranges::any_of(all, [&](const Asked& asked) {
            return asked.request.kind == Request::close && asked.request.stream == stream;
        });
    }
    std::vector<std::string> events() {
        std::vector<std::string> out;
        while (const auto event = endpoint.poll_event()) {
            constexpr const char* kinds[] = {"message ",      "question ", "answers ",  "appeared ",   "suspect ",
                                             "back ",         "gone ",     "conflict ", "name_taken ", "connected ",
                                             "disconnected ", "room ",     "rejoin "};
            last_question = event->kind == Kind::question ? event->question : last_question;
            out.push_back(kinds[static_cast<std::size_t>(event->kind)] + std::string(event->name) +
                          (event->text.empty() ? "" : " " + std::string(event->text)));
        }
        return out;
    }
    using Said = std::vector<std::string>;

    /// A peer that connected and said its name, and if it is one of ours, so much.
    StreamIndex connected(const std::string& name, unsigned host, bool ours = true) {
        const StreamIndex stream = *endpoint.accept(now, at(host, 40'000));
        input(stream, name + (ours ? "/EOLPiNg/EOL" : "/EOL"));
        written();
        events();
        now += 100 * millisecond;
        return stream;
    }
    void pass(Duration duration) {
        const Instant until = now + duration;
        while (const auto due = endpoint.poll_timeout()) {
            if (*due > until) break;
            now = std::max(now, *due);
            endpoint.handle_timeout(now);
        }
        now = until;
    }
    std::uint64_t ended(Cause cause) { return endpoint.counts().ended[static_cast<std::size_t>(cause)]; }

    Endpoint endpoint{options()};
    Instant now = 0;
    Bytes buffer = Bytes(limits::stream_write_bytes_max);
    QuestionId last_question;
};

TEST_F(DevicesEndpoint, opens_to_the_higher_name_only) {
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
    EXPECT_EQ(events(), (Said{"appeared z", "appeared a", "connected z", "message z ready"}));
    EXPECT_FALSE(endpoint.peers()[0].ours);
}

TEST_F(DevicesEndpoint, knows_its_own_by_the_ping_behind_the_name) {
    struct Case {
        const char *first, *second;
        Duration between;
        bool ours;
    };
    const Case cases[] = {
        {"a/EOLPiNg/EOL", "", 0, true},
        {"a/EOLPi", "Ng/EOL", second, true},
        {"a/EOL", "PiNg/EOL", second + 1, false},  // the first program may ping, later
        {"a/EOLMeSsAgE:,:x/EOL", "PiNg/EOL", 0, false},
        {"a/EOLMeSsAgE:,:PiNg/EOL", "", 0, false},
    };
    for (const auto& [first, then, between, ours] : cases) {
        const StreamIndex stream = *endpoint.accept(now, at(2, 40'000));
        input(stream, first);
        now += between;
        if (*then != 0) input(stream, then);
        EXPECT_EQ(endpoint.peers()[0].ours, ours) << first << then;
        input(stream, Input::closed);
        events();
        now += second;
    }
}

TEST_F(DevicesEndpoint, a_bad_peer_is_dropped_with_a_reason_and_nobody_else_notices) {
    const StreamIndex good = connected("good", 9);
    const std::string megabyte(1'000'000, 'x');
    struct Case {
        std::vector<std::string> says;
        Cause cause;
    };
    const Case cases[] = {
        {{"/EOL"}, Cause::bad_name},
        {{"a:,:b/EOL"}, Cause::bad_name},
        {{"\xff/EOL"}, Cause::bad_name},
        {{"PiNg/EOL"}, Cause::bad_name},
        {{std::string(249, 'n') + "/EOL"}, Cause::bad_name},
        {{std::string(600, 'n')}, Cause::frame_too_long},
        {{"m/EOL"}, Cause::own_name},
        {{"good/EOL"}, Cause::name_conflict},
        {{"a/EOLname/EOL"}, Cause::bad_frame},
        {{"a/EOLMeSsAgE:,:x:,:y/EOL"}, Cause::bad_frame},
        {{"a/EOLQuEsTiOn:,:x:,:y/EOL"}, Cause::bad_frame},
        {{"a/EOLMeSsAgE:,:\xc0\x80/EOL"}, Cause::not_utf8},
        {{"a/EOLMeSsAgE:,:" + std::string(limits::devices_frame_bytes_max, 'x') + "/EOL"}, Cause::frame_too_long},
        {{"a/EOL", megabyte, megabyte, megabyte, megabyte, megabyte, megabyte, megabyte, megabyte, megabyte, megabyte},
         Cause::frame_too_long},
    };
    for (const auto& [says, cause] : cases) {
        SCOPED_TRACE(says[0].substr(0, 40));
        const std::uint64_t before = ended(cause);
        const auto stream = endpoint.accept(now, at(2, 40'000));
        ASSERT_TRUE(stream);
        for (const std::string& bytes : says) input(*stream, bytes);
        EXPECT_EQ(ended(cause), before + 1);
        EXPECT_TRUE(is_closed(*stream));
        events();
        now += 100 * millisecond;
        input(good, "MeSsAgE:,:still here/EOL");
        EXPECT_EQ(events(), Said{"message good still here"});
    }
}

TEST_F(DevicesEndpoint, a_peer_that_never_says_its_name_or_closes_within_a_frame) {
    const StreamIndex silent = *endpoint.accept(now, at(2, 40'000));
    pass(5 * second - 1);
    EXPECT_FALSE(is_closed(silent));
    pass(1);
    EXPECT_TRUE(is_closed(silent));
    EXPECT_EQ(ended(Cause::name_timeout), 1u);
    EXPECT_EQ(events(), Said{}) << "it was nobody";

    const StreamIndex cut = connected("a", 3);
    input(cut, "MeSsAgE:,:whole/EOLMeSsAgE:,:ha");
    input(cut, Input::closed);
    EXPECT_EQ(events(), (Said{"message a whole", "disconnected a", "suspect a"}));
    EXPECT_EQ(ended(Cause::mid_frame), 1u);
    EXPECT_FALSE(is_closed(cut)) << "the driver knows";
}

TEST_F(DevicesEndpoint, a_connection_that_never_stands_is_given_up_and_tried_again) {
    advert("alive:,:z", at(2));
    const StreamIndex stream = requests()[0].request.stream;
    pass(5 * second);
    auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::close);
    EXPECT_EQ(asked[0].request.stream, stream);
    EXPECT_EQ(endpoint.peers()[0].last_cause, Cause::connect_timeout);
    pass(second);
    asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::connect);
}

TEST_F(DevicesEndpoint, of_two_connections_the_lower_name_s_stays) {
    // We are lower than z: what we opened stays, whichever stands first.
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
        const auto said = events();
        EXPECT_EQ(std::ranges::count(said, "message z x"), 1);
        EXPECT_EQ(said.back(), "gone z");
        requests();
        now += second;
    }
    // We are higher than a: the newer one stays.
    const StreamIndex older = connected("a", 3), newer = *endpoint.accept(now, at(3, 40'001));
    input(newer, "a/EOLMeSsAgE:,:new/EOL");
    EXPECT_TRUE(is_closed(older));
    EXPECT_EQ(events(), (Said{"disconnected a", "connected a", "message a new"}));
    EXPECT_EQ(ended(Cause::duplicate), 3u);
}

TEST_F(DevicesEndpoint, a_stream_is_used_again_only_when_the_driver_has_let_go) {
    const StreamIndex first = *endpoint.accept(now, at(2, 40'000));
    input(first, "/EOL");  // bad: to be closed
    const StreamIndex second_one = *endpoint.accept(now, at(2, 40'001));
    EXPECT_NE(first, second_one) << "the driver has not been told yet";
    input(first, "a/EOL");  // and may still say this
    input(first, Input::written);
    EXPECT_TRUE(is_closed(first));
    EXPECT_EQ(*endpoint.accept(now, at(2, 40'002)), first);
    EXPECT_EQ(requests().size(), 1u) << "only the new one's greeting";
    // Ended on both sides at once: no close, and free.
    input(second_one, "/EOL");
    input(second_one, Input::closed, StreamEnd::reset);
    EXPECT_FALSE(is_closed(second_one));
    EXPECT_EQ(*endpoint.accept(now, at(2, 40'003)), second_one);
}

TEST_F(DevicesEndpoint, accepts_so_many_from_one_address_and_so_many_strangers) {
    std::size_t accepted = 0;
    while (endpoint.accept(now, at(2, 40'000))) ++accepted;
    EXPECT_EQ(accepted, 32u);
    EXPECT_EQ(endpoint.counts().accepts_limited, 1u);
    for (unsigned host = 0; host < 250; ++host)
        for (int i = 0; i < 32; ++i) accepted += endpoint.accept(now, at(host, 40'000)).has_value();
    EXPECT_EQ(accepted, limits::devices_unnamed_max);
    EXPECT_GT(endpoint.counts().accepts_full, 0u);
    requests();
    pass(5 * second);
    EXPECT_EQ(ended(Cause::name_timeout), accepted);
    requests();
    EXPECT_TRUE(endpoint.accept(now, at(2, 40'000)));
}

TEST_F(DevicesEndpoint, says_what_became_of_a_message) {
    const StreamIndex ours = connected("a", 2), other = connected("b", 3, false);
    EXPECT_EQ(endpoint.send(now, "nobody", "x"), Sent::not_connected);
    EXPECT_EQ(endpoint.send(now, "a", "x:,:y"), Sent::cannot_carry);
    EXPECT_EQ(endpoint.send(now, "a", "x/EOL"), Sent::cannot_carry);
    EXPECT_EQ(endpoint.send(now, "a", "\xff"), Sent::cannot_carry);
    const std::string longest(limits::devices_frame_bytes_max - 14, 'x');
    EXPECT_EQ(endpoint.send(now, "a", longest), Sent::queued);
    EXPECT_EQ(endpoint.send(now, "a", longest + "x"), Sent::too_large);
    EXPECT_EQ(endpoint.send(now, "b", longest), Sent::too_large);
    EXPECT_EQ(endpoint.send_all(now, "hi"), (std::vector{Sent::queued, Sent::queued}));
    EXPECT_EQ(endpoint.send_all(now, ":,:"), (std::vector{Sent::cannot_carry, Sent::cannot_carry}));
    while (endpoint.send(now, "a", longest) == Sent::queued) continue;
    EXPECT_EQ(endpoint.send(now, "a", longest), Sent::queue_full);
    EXPECT_EQ(events(), Said{});
    written();
    EXPECT_EQ(events(), Said{"room a"});
    EXPECT_EQ(endpoint.send(now, "a", longest), Sent::queued);
    input(ours, Input::closed, StreamEnd::reset);
    EXPECT_EQ(endpoint.counts().unsent, 1u);
    EXPECT_EQ(endpoint.send(now, "a", "x"), Sent::not_connected);
    (void)other;
}

TEST_F(DevicesEndpoint, one_of_ours_gets_all_in_a_write_and_another_one_frame_at_a_time) {
    connected("a", 2);
    connected("b", 3, false);
    now += second;
    for (int i = 0; i < 3; ++i) endpoint.send_all(now, std::to_string(i));
    std::vector<std::string> writes;
    for (const Asked& asked : requests()) {
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

TEST_F(DevicesEndpoint, a_greeting_leaves_alone_whatever_is_said_before_it) {
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
    EXPECT_EQ(events(), (Said{"question a one?", "question a two?"}));
    EXPECT_EQ(endpoint.answer(now, last_question, "/EOL"), Sent::cannot_carry);
    EXPECT_EQ(endpoint.answer(now, last_question, "2"), Sent::queued);
    EXPECT_EQ(endpoint.answer(now, last_question, "2"), Sent::forgotten);
    EXPECT_EQ(endpoint.answer(now, {last_question.number - 1}, "1"), Sent::queued);
    EXPECT_EQ(endpoint.answer(now, {12'345}, "?"), Sent::forgotten);
    EXPECT_EQ(written(), "AnSwEr:,:8:,:2/EOLAnSwEr:,:7:,:1/EOL");
    input(stream, "QuEsTiOn:,:9:,:three?/EOL");
    input(stream, Input::closed);
    events();
    EXPECT_EQ(endpoint.answer(now, last_question, "3"), Sent::not_connected);
}

TEST_F(DevicesEndpoint, an_ask_says_for_each_name_why_not) {
    connected("b", 3, false);
    const std::string large(600, 'x');
    const std::string_view names[] = {"b", "nobody"};
    EXPECT_EQ(endpoint.ask(now, names, "/EOL", now).error(), AskRefusal::cannot_carry);
    ASSERT_TRUE(endpoint.ask(now, names, large, now + second));
    const auto event = endpoint.poll_event();
    ASSERT_TRUE(event && event->kind == Kind::answers);
    EXPECT_EQ(event->answers[0].reply, Reply::too_large);
    EXPECT_EQ(event->answers[1].reply, Reply::not_connected);
    ASSERT_TRUE(endpoint.ask(now, {}, "?", now + second));
    EXPECT_EQ(events(), Said{"answers "}) << "nobody was asked";
    ASSERT_TRUE(endpoint.ask_all(now, "?", now + second));
    EXPECT_EQ(written(), "QuEsTiOn:,:2:,:?/EOL") << "the key of the one that was too large is not used";
    pass(second);
    EXPECT_EQ(events(), Said{"answers "});
    EXPECT_EQ(events(), Said{});
}

TEST_F(DevicesEndpoint, holds_back_a_peer_whose_messages_are_not_taken) {
    const StreamIndex stream = connected("a", 2);
    const std::string message = "MeSsAgE:,:" + std::string(60'000, 'x') + "/EOL";
    for (int i = 0; i < 4; ++i) input(stream, message);
    EXPECT_TRUE(requests().empty());
    input(stream, message);
    auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::pause);
    input(stream, message);  // what was on its way
    EXPECT_TRUE(requests().empty());
    EXPECT_EQ(events().size(), 6u);
    asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::resume);
    // A wish that was never told is taken back.
    for (int i = 0; i < 5; ++i) input(stream, message);
    EXPECT_EQ(events().size(), 5u);
    EXPECT_TRUE(requests().empty());
    // A driver that goes on all the same loses the connection, and no message.
    const std::size_t fit = limits::devices_unread_bytes_max / message.size();
    for (std::size_t i = 0; i <= fit + 5; ++i) input(stream, message);
    EXPECT_EQ(ended(Cause::overrun), 1u);
    EXPECT_TRUE(is_closed(stream));
    EXPECT_EQ(events().size(), fit + 1 + 2) << "with `disconnected` and `suspect`";
}

TEST_F(DevicesEndpoint, what_happened_is_told_in_that_order) {
    const StreamIndex first = connected("a", 2);
    input(first, "MeSsAgE:,:1/EOL");
    input(first, "MeSsAgE:,:2/EOLquitQUITquit/EOL");
    input(first, Input::closed);
    const StreamIndex again = *endpoint.accept(now, at(2, 40'001));
    EXPECT_NE(again, first) << "what came over it has not been told";
    input(again, "a/EOLMeSsAgE:,:3/EOL");
    EXPECT_EQ(events(), (Said{"message a 1", "message a 2", "disconnected a", "suspect a", "back a", "connected a",
                              "message a 3"}));
}

TEST_F(DevicesEndpoint, adverts_are_judged_and_counted) {
    advert("hello:,:m", own);
    advert("hello:,:m", at(2));
    advert("alive:,:m", at(2));
    advert("nonsense", at(2));
    advert("hello:,:a", at(3));
    advert("alive:,:a", at(4));
    advert("alive:,:a", at(5), 1);
    for (int i = 0; i < 100; ++i) advert("alive:,:b", at(6));
    const Counts& counts = endpoint.counts();
    EXPECT_EQ(counts.adverts_own, 1u);
    EXPECT_EQ(counts.adverts_name_taken, 2u);
    EXPECT_EQ(counts.adverts_bad, 1u);
    EXPECT_EQ(counts.adverts_conflicting, 1u);
    EXPECT_EQ(counts.adverts_elsewhere, 1u);
    EXPECT_EQ(counts.adverts_limited, 68u);
    EXPECT_EQ(counts.adverts_taken, 33u);
    EXPECT_EQ(counts.adverts_heard, 107u);
    EXPECT_EQ(events(), (Said{"name_taken m", "appeared a", "conflict a", "appeared b"}));
}

TEST_F(DevicesEndpoint, changes_that_are_not_taken_are_dropped_and_counted) {
    const StreamIndex stream = connected("a", 2);
    input(stream, Input::closed);
    for (std::size_t i = 0; endpoint.counts().notices_dropped == 0; ++i) {
        ASSERT_LT(i, limits::devices_notices_max);
        now += second;
        const StreamIndex again = *endpoint.accept(now, at(2, 40'000));
        input(again, "a/EOL");
        input(again, Input::closed);
    }
    EXPECT_EQ(events().size(), limits::devices_notices_max);
}

TEST_F(DevicesEndpoint, says_goodbye_and_is_finished) {
    const StreamIndex a = connected("a", 2), stalled = connected("b", 3);
    const StreamIndex unnamed = *endpoint.accept(now, at(4, 40'000));
    advert("hello:,:z", at(5));
    written();
    endpoint.send(now, "a", "last");
    endpoint.close(now);
    endpoint.close(now);
    EXPECT_FALSE(endpoint.accept(now, at(2, 40'000)));
    EXPECT_EQ(endpoint.send(now, "a", "later"), Sent::not_connected);
    std::string said;
    for (const Asked& asked : requests()) {
        if (asked.request.stream == a) {
            said += asked.text;
            input(a, Input::written);
        }
    }
    EXPECT_EQ(said, "MeSsAgE:,:last/EOLquitQUITquit/EOL");
    EXPECT_FALSE(endpoint.finished()) << "b has not taken its goodbye";
    pass(2 * second);
    requests();
    EXPECT_TRUE(endpoint.finished());
    EXPECT_EQ(endpoint.poll_transmit(now, buffer), std::nullopt);
    EXPECT_EQ(ended(Cause::closed), 4u);
    (void)stalled, (void)unnamed;
}

}  // namespace
}  // namespace ringpost::devices
