// Replies to peers that have not proved their address: the 3x bound, their share of the tables, and Options::answering.

#include <gtest/gtest.h>

#include "codec/gtudp/sender.hpp"
#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

using std::unexpected;

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

TEST(GtudpReplies, a_reply_stays_within_three_times_the_bytes_received) {
    Side side(steady_options());
    side.receive_data(bob, 1, "12345");  // 38 bytes with headers allow 114: a RECV of 33 and two such replies
    ASSERT_TRUE(side.send_reply(bob, "12345"));
    EXPECT_EQ(side.transmitted(), "bob RECV 1; bob DATA 7 12345");
    side.receive_ack(bob, 1);  // 99 more; 142 of them are left
    std::size_t datas = 0;
    for (int i = 0; i < 5; ++i) {
        side.after(100 * millisecond);
        datas += count_of(side.transmitted(), "DATA");
    }
    EXPECT_EQ(datas, 3u);
    EXPECT_EQ(side.counters().data_withheld, 2u);
    side.after(100 * millisecond);
    EXPECT_EQ(side.event(), "message from bob: 12345; 7 gave up after 6") << "those withheld count";
    EXPECT_EQ(side.counters().data_sent, 4u);
    EXPECT_EQ(side.counters().data_resent, 3u);
}

TEST(GtudpReplies, one_that_is_larger_than_allowed_is_withheld_until_more_arrives) {
    Side side(steady_options());
    side.receive_data(bob, 1);
    ASSERT_TRUE(side.send_reply(bob, std::string(100, 'x')));
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.counters().data_withheld, 1u);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.counters().recv_unknown, 1u) << "it has never left";
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    side.receive_data(bob, 1, std::string(60, 'y'));
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.after(100 * millisecond);
    EXPECT_TRUE(side.transmitted().contains("bob DATA 7 xxx"));
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "message from bob: ; 7 confirmed after 2");
}

TEST(GtudpReplies, a_confirmed_reply_lifts_the_bound) {
    Side side(steady_options());
    side.receive_data(bob, 1);
    ASSERT_TRUE(side.send_reply(bob, ""));
    side.transmitted();
    side.receive_recv(bob, 7);
    side.event();
    side.transmitted();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(side.send_reply(bob, std::string(300, 'x')));
    EXPECT_EQ(count_of(side.transmitted(), "DATA"), 10u);
    EXPECT_EQ(side.counters().data_withheld, 0u);
}

TEST(GtudpReplies, own_messages_are_not_withheld) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, std::string(1'000, 'x')));
    for (int i = 0; i < 6; ++i, side.after(100 * millisecond)) EXPECT_EQ(count_of(side.transmitted(), "DATA"), 1u);
    side.receive_data(bob, 1);
    EXPECT_EQ(side.transmitted(), "bob RECV 1") << "and do not use up what RECVs may";
    EXPECT_EQ(side.counters().data_withheld + side.counters().recv_withheld, 0u);
}

TEST(GtudpReplies, other_peers_get_theirs_while_one_is_withheld) {
    Options options = steady_options();
    options.unproven_sends_max = 16;
    Side side(options);
    side.receive_data(bob, 1);
    side.receive_data(carol, 1, "xx");
    side.event();
    for (const Address& to : {carol, bob, carol})
        ASSERT_TRUE(side.send_reply(to, to == bob ? std::string(200, 'x') : "x"));
    EXPECT_EQ(side.transmitted(), "bob RECV 1; carol RECV 1; carol DATA 7 x, DATA 9 x");
    EXPECT_EQ(side.counters().data_withheld, 1u);
}

// ---- the share of unproven peers -------------------------------------------------------------------

Options few_unproven(std::uint32_t unproven_sends_max) {
    Options options = steady_options();
    options.unproven_sends_max = unproven_sends_max;
    return options;
}

TEST(GtudpReplies, one_more_than_the_share_ends_the_oldest) {
    Side side(few_unproven(2));
    for (const Address& from : {bob, carol, dave}) side.receive_data(from, 1, "x");
    side.event();
    side.transmitted();
    for (const Address& to : {bob, carol, dave}) ASSERT_TRUE(side.send_reply(to, "x"));
    EXPECT_EQ(side.transmitted(), "carol DATA 8 x; dave DATA 9 x");
    EXPECT_EQ(side.event(), "7 gave up after 0");
    EXPECT_EQ(side.counters().displaced, 1u);
    EXPECT_EQ(side.counters().gave_up_attempts, 1u);
    EXPECT_EQ(side.endpoint.in_flight(), 2u);
}

TEST(GtudpReplies, replies_of_peers_that_prove_themselves_are_not_ended) {
    Side side(few_unproven(2));
    for (const Address& from : {bob, carol, dave}) side.receive_data(from, 1, "x");
    side.transmitted();
    side.event();
    ASSERT_TRUE(side.send_reply(bob, "first"));
    ASSERT_TRUE(side.send_reply(bob, "other"));
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "7 confirmed after 1");
    side.transmitted();
    for (const Address& to : {carol, dave}) ASSERT_TRUE(side.send_reply(to, "x"));
    EXPECT_EQ(side.event(), "") << "the other reply to bob has left the share";
    ASSERT_TRUE(side.send_reply(bob, "x"));
    EXPECT_EQ(side.counters().displaced, 0u);
    ASSERT_TRUE(side.send_reply(dave, "x"));
    EXPECT_EQ(side.counters().displaced, 1u) << "that to carol";
}

TEST(GtudpReplies, own_messages_have_no_share) {
    Side side(few_unproven(1));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(side.send(bob, "x"));
    ASSERT_TRUE(side.send_reply(carol, "x"));
    EXPECT_EQ(side.counters().displaced, 0u);
    EXPECT_EQ(side.endpoint.in_flight(), 11u);
}

TEST(GtudpReplies, ended_ones_leave_the_share) {
    Side side(few_unproven(2));
    side.receive_data(bob, 1, std::string(100, 'x'));
    for (int i = 0; i < 4; ++i) {
        const auto id = side.send_reply(bob, "x");
        ASSERT_TRUE(id);
        if (i % 2 == 0)
            EXPECT_TRUE(side.endpoint.cancel(*id));
        else
            side.after(100 * millisecond);
    }
    EXPECT_EQ(side.counters().displaced, 0u);
    EXPECT_EQ(side.endpoint.in_flight(), 2u);
}

// Otherwise a few large replies would use up the memory of all.
TEST(GtudpReplies, the_share_is_one_of_the_payload_memory_as_well) {
    Options options = few_unproven(16);
    options.payload_bytes = 8'192;  // an eighth: 1,024
    options.peers_max = 8;
    Side side(options);
    const auto at = [](std::uint16_t port) { return Address::v4(9, 9, 9, 9, port); };
    for (std::uint16_t i = 0; i < 6; ++i) ASSERT_TRUE(side.send_reply(at(i), std::string(500, 'x')));
    EXPECT_EQ(side.counters().displaced, 4u);
    EXPECT_EQ(side.endpoint.free_payload_bytes(), 8'192u - 2 * 512);
    side.event();
    ASSERT_TRUE(side.send_reply(bob, std::string(4'000, 'x'))) << "one is always possible";
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
}

TEST(GtudpReplies, the_share_is_an_eighth_by_default_and_at_least_one) {
    Options options = small_options();  // 16 sends
    for (const std::uint32_t peers_max : {4u, 16u}) {
        options.peers_max = peers_max;
        Side side(options);
        for (const Address& to : {bob, carol, dave}) ASSERT_TRUE(side.send_reply(to, "x"));
        EXPECT_EQ(side.counters().displaced, peers_max == 4 ? 2u : 1u);
    }
}

// Otherwise a peer whose messages come faster than it can confirm would never prove itself.
TEST(GtudpReplies, a_peer_does_not_end_its_own) {
    Side side(few_unproven(2));
    ASSERT_TRUE(side.send_reply(bob, "1"));
    ASSERT_TRUE(side.send_reply(carol, "2"));
    EXPECT_EQ(side.send_reply(bob, "3"), unexpected(Refusal::peer_full));
    EXPECT_EQ(side.counters().displaced, 0u);
    ASSERT_TRUE(side.send_reply(carol, "4"));
    EXPECT_EQ(side.counters().displaced, 1u);
}

// ---- shares of proven peers ------------------------------------------------------------------------

TEST(GtudpReplies, payload_per_peer_is_limited) {
    Options options = steady_options();
    options.payload_per_peer_bytes = 1'000;
    Side side(options);
    ASSERT_TRUE(side.send(bob, std::string(600, 'x')));
    EXPECT_EQ(side.send(bob, std::string(401, 'x')), unexpected(Refusal::peer_full));
    ASSERT_TRUE(side.send(bob, std::string(400, 'x')));
    EXPECT_EQ(side.send(bob, "x"), unexpected(Refusal::peer_full));
    EXPECT_TRUE(side.send(carol, std::string(2'000, 'x'))) << "one message of any size is possible";
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_TRUE(side.send(bob, std::string(600, 'x')));
}

TEST(GtudpReplies, an_answering_endpoint_accepts_nothing_while_half_of_a_share_is_in_flight) {
    Options options = steady_options();
    options.answering = true;
    options.sends_per_peer_max = 4;
    options.unproven_sends_max = 16;
    Side side(options);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.receive_data(bob, 1, "y");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().app_behind, 1u);
    side.receive_data(carol, 1, "z");
    EXPECT_EQ(side.event(), "message from carol: z");
    side.receive_recv(bob, 7);
    side.event();
    side.receive_data(bob, 1, "y");
    EXPECT_EQ(side.event(), "message from bob: y") << "its sender has sent it again";
}

TEST(GtudpReplies, an_answering_endpoint_accepts_few_messages_of_an_unproven_peer) {
    Options options = steady_options();
    options.answering = true;
    options.unproven_sends_max = 2;
    Side side(options);
    for (Identity identity = 1; identity <= 4; ++identity) {
        side.receive_data(bob, identity, "x");
        if (side.event() == "") continue;
        ASSERT_TRUE(side.send_reply(bob, "y"));
    }
    EXPECT_EQ(side.counters().delivered, 2u);
    EXPECT_EQ(side.counters().app_behind, 2u);
    side.transmitted();
    side.receive_recv(bob, 7);
    side.event();
    side.receive_data(bob, 3, "x");
    EXPECT_EQ(side.event(), "message from bob: x");
    EXPECT_EQ(side.counters().refused_peer_full + side.counters().displaced, 0u);
}

}  // namespace
}  // namespace ringpost::gtudp
