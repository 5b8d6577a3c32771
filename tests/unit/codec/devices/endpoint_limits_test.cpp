#include "tests/unit/codec/devices/endpoint_fixture.hpp"

namespace ringpost::devices {
namespace {

using DevicesEndpointLimits = DevicesEndpoint;

TEST_F(DevicesEndpointLimits, a_misbehaving_peer_is_disconnected_with_a_cause_and_no_other_is_affected) {
    const StreamIndex good = connected("good", 9);
    const std::string megabyte(1'000'000, 'x');
    struct Case {
        std::vector<std::string> inputs;
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
    for (const auto& [inputs, cause] : cases) {
        SCOPED_TRACE(inputs[0].substr(0, 40));
        const std::uint64_t before = ended(cause);
        const auto stream = endpoint.accept(now, at(2, 40'000));
        ASSERT_TRUE(stream);
        for (const std::string& bytes : inputs) input(*stream, bytes);
        EXPECT_EQ(ended(cause), before + 1);
        EXPECT_TRUE(is_closed(*stream));
        events();
        now += 100 * millisecond;
        input(good, "MeSsAgE:,:still here/EOL");
        EXPECT_EQ(events(), Lines{"message good still here"});
    }
}

TEST_F(DevicesEndpointLimits, a_peer_that_never_sends_its_name_or_closes_inside_a_frame) {
    const StreamIndex silent = *endpoint.accept(now, at(2, 40'000));
    pass(5 * second - 1);
    EXPECT_FALSE(is_closed(silent));
    pass(1);
    EXPECT_TRUE(is_closed(silent));
    EXPECT_EQ(ended(Cause::name_timeout), 1u);
    EXPECT_EQ(events(), Lines{}) << "no event for an unnamed peer";

    const StreamIndex cut = connected("a", 3);
    input(cut, "MeSsAgE:,:whole/EOLMeSsAgE:,:ha");
    input(cut, Input::closed);
    EXPECT_EQ(events(), (Lines{"message a whole", "disconnected a", "suspect a"}));
    EXPECT_EQ(ended(Cause::mid_frame), 1u);
    EXPECT_FALSE(is_closed(cut)) << "the driver has closed it";
}

TEST_F(DevicesEndpointLimits, limits_accepts_per_address_and_unnamed_peers) {
    std::size_t accepted = 0;
    while (endpoint.accept(now, at(2, 40'000))) ++accepted;
    EXPECT_EQ(accepted, 32u);
    EXPECT_EQ(endpoint.counters().accepts_limited, 1u);
    for (unsigned host = 0; host < 250; ++host)
        for (int i = 0; i < 32; ++i) accepted += endpoint.accept(now, at(host, 40'000)).has_value();
    EXPECT_EQ(accepted, limits::devices_unnamed_max / 8 * 7) << "the rest is for other networks";
    for (std::uint8_t net = 1; net < 250; ++net) {
        const auto other = endpoint.accept(now, Address::v4(10, 0, net, 1, 40'000));
        EXPECT_TRUE(other || net > 1);
        accepted += other.has_value();
    }
    EXPECT_EQ(accepted, limits::devices_unnamed_max);
    EXPECT_GT(endpoint.counters().accepts_full, 0u);
    requests();
    pass(5 * second);
    EXPECT_EQ(ended(Cause::name_timeout), accepted);
    requests();
    EXPECT_TRUE(endpoint.accept(now, at(2, 40'000)));
}

TEST_F(DevicesEndpointLimits, reports_the_result_of_a_message) {
    const StreamIndex ringpost_peer = connected("a", 2), other = connected("b", 3, PeerKind::compatible);
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
    EXPECT_EQ(events(), Lines{});
    written();
    EXPECT_EQ(events(), Lines{"room a"});
    EXPECT_EQ(endpoint.send(now, "a", longest), Sent::queued);
    input(ringpost_peer, Input::closed, StreamEnd::reset);
    EXPECT_EQ(endpoint.counters().unsent, 1u);
    EXPECT_EQ(endpoint.send(now, "a", "x"), Sent::not_connected);
    (void)other;
}

TEST_F(DevicesEndpointLimits, pauses_a_peer_whose_messages_are_not_polled) {
    const StreamIndex stream = connected("a", 2);
    const std::string message = "MeSsAgE:,:" + std::string(60'000, 'x') + "/EOL";
    for (int i = 0; i < 4; ++i) input(stream, message);
    EXPECT_TRUE(requests().empty());
    input(stream, message);
    auto asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::pause);
    input(stream, message);  // already in flight
    EXPECT_TRUE(requests().empty());
    EXPECT_EQ(events().size(), 6u);
    asked = requests();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].request.kind, Request::resume);
    // A request that the driver has not polled is withdrawn.
    for (int i = 0; i < 5; ++i) input(stream, message);
    EXPECT_EQ(events().size(), 5u);
    EXPECT_TRUE(requests().empty());
    // A driver that ignores the pause loses the connection, but no message.
    const std::size_t fit = limits::devices_unread_bytes_max / message.size();
    for (std::size_t i = 0; i <= fit + 5; ++i) input(stream, message);
    EXPECT_EQ(ended(Cause::overrun), 1u);
    EXPECT_TRUE(is_closed(stream));
    EXPECT_EQ(events().size(), fit + 1 + 2) << "plus `disconnected` and `suspect`";
}

TEST_F(DevicesEndpointLimits, adverts_are_classified_and_counted) {
    advert("hello:,:m", own);
    advert("hello:,:m", at(2));
    advert("alive:,:m", at(2));
    advert("nonsense", at(2));
    advert("hello:,:a", at(3));
    advert("alive:,:a", at(4));
    advert("alive:,:a", at(5), 1);
    for (int i = 0; i < 100; ++i) advert("alive:,:b", at(6));
    const Counters& counts = endpoint.counters();
    EXPECT_EQ(counts.adverts_own, 1u);
    EXPECT_EQ(counts.adverts_name_taken, 2u);
    EXPECT_EQ(counts.adverts_bad, 1u);
    EXPECT_EQ(counts.adverts_conflicting, 1u);
    EXPECT_EQ(counts.adverts_elsewhere, 1u);
    EXPECT_EQ(counts.adverts_limited, 68u);
    EXPECT_EQ(counts.adverts_taken, 33u);
    EXPECT_EQ(counts.adverts_heard, 107u);
    EXPECT_EQ(events(), (Lines{"name_taken m", "appeared a", "conflict a", "appeared b"}));
}

TEST_F(DevicesEndpointLimits, changes_that_are_not_polled_are_dropped_and_counted) {
    const StreamIndex stream = connected("a", 2);
    input(stream, Input::closed);
    for (std::size_t i = 0; endpoint.counters().notices_dropped == 0; ++i) {
        ASSERT_LT(i, limits::devices_notices_max);
        now += second;
        const StreamIndex again = *endpoint.accept(now, at(2, 40'000));
        input(again, "a/EOL");
        input(again, Input::closed);
    }
    EXPECT_EQ(events().size(), limits::devices_notices_max);
}

}  // namespace
}  // namespace ringpost::devices
