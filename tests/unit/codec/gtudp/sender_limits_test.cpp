// Refusals, trains, identities, and answers to RECVs.
//
// Not tested: an identity that repeats while still in flight to the same peer, which takes 2^32 sends.

#include <gtest/gtest.h>

#include <set>

#include "codec/gtudp/sender.hpp"
#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

using std::unexpected;

// ---- refusals -------------------------------------------------------------------------------------

TEST(GtudpRefusal, too_large) {
    Options options = small_options();
    options.payload_bytes = 1u << 17;
    Side side(options);
    const std::string most(Codec().data_bytes_max(), 'x');
    EXPECT_EQ(side.send(bob, most + "x"), unexpected(Refusal::too_large));
    EXPECT_EQ(side.counters().refused_too_large, 1u);
    EXPECT_EQ(side.counters().taken, 0u);
    EXPECT_TRUE(side.send(bob, most));
}

TEST(GtudpRefusal, table_full_of_exchanges) {
    Options options = small_options();
    options.sends_max = 4;
    Side side(options);
    std::set<std::uint32_t> indices;
    for (int i = 0; i < 4; ++i) indices.insert(side.send(bob, "x")->index);
    EXPECT_EQ(indices, (std::set<std::uint32_t>{0, 1, 2, 3}));
    EXPECT_EQ(side.send(bob, "x"), unexpected(Refusal::table_full));
    EXPECT_EQ(side.counters().refused_table_full, 1u);
    EXPECT_EQ(side.endpoint.in_flight(), 4u);
    side.transmitted();
    side.receive_recv(bob, 8);
    EXPECT_EQ(side.endpoint.in_flight(), 3u);
    EXPECT_EQ(side.send(bob, "x"), unexpected(Refusal::table_full))
        << "its entry is free once its outcome has been polled";
    EXPECT_EQ(side.event(), "8 confirmed after 1");
    EXPECT_TRUE(side.send(bob, "x"));
    EXPECT_EQ(side.counters().refused_table_full, 2u);
}

TEST(GtudpRefusal, table_full_of_payload) {
    Options options = small_options();
    options.payload_bytes = 2 * ChunkPool::chunk_bytes;
    Side side(options);
    const std::string two_chunks(ChunkPool::chunk_bytes + 1, 'x');
    const auto id = side.send(bob, two_chunks);
    ASSERT_TRUE(id);
    EXPECT_EQ(side.send(bob, "x"), unexpected(Refusal::table_full));
    EXPECT_EQ(side.counters().refused_table_full, 1u);
    EXPECT_TRUE(side.send(bob, "")) << "an empty message always fits";
    EXPECT_TRUE(side.endpoint.cancel(*id));
    EXPECT_TRUE(side.send(bob, two_chunks)) << "freed with the outcome, polled or not";
    EXPECT_EQ(side.endpoint.in_flight(), 2u);
}

TEST(GtudpRefusal, peer_full) {
    Options options = small_options();
    options.sends_per_peer_max = 2;
    Side side(options);
    EXPECT_TRUE(side.send(bob, "x"));
    EXPECT_TRUE(side.send(bob, "y"));
    EXPECT_EQ(side.send(bob, "z"), unexpected(Refusal::peer_full));
    EXPECT_TRUE(side.send(carol, "z"));
    EXPECT_EQ(side.counters().refused_peer_full, 1u);
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_TRUE(side.send(bob, "z"));
    EXPECT_EQ(side.send(bob, "z"), unexpected(Refusal::peer_full));
}

TEST(GtudpRefusal, peers_full) {
    Options options = small_options();
    options.peers_max = 2;
    Side side(options);
    const auto id = side.send(bob, "x");
    EXPECT_TRUE(side.send(carol, "y"));
    EXPECT_EQ(side.send(dave, "z"), unexpected(Refusal::peers_full));
    EXPECT_TRUE(side.send(carol, "z")) << "a known peer needs no new entry";
    EXPECT_EQ(side.counters().refused_peers_full, 1u);
    EXPECT_TRUE(side.endpoint.cancel(*id));
    EXPECT_EQ(side.send(dave, "z"), unexpected(Refusal::peers_full))
        << "the outcome names the peer and has not been polled yet";
    side.event();
    EXPECT_TRUE(side.send(dave, "z"));
    EXPECT_EQ(side.counters().peers_forgotten, 1u);
}

TEST(GtudpRefusal, not_ready_once_closed_while_sends_in_flight_continue) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "x"));
    ASSERT_TRUE(side.send(bob, "y"));
    side.endpoint.close();
    EXPECT_EQ(side.send(bob, "z"), unexpected(Refusal::not_ready));
    EXPECT_EQ(side.send(bob, std::string(70'000, 'z')), unexpected(Refusal::not_ready));
    EXPECT_EQ(side.counters().refused_not_ready, 2u);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 x, DATA 8 y");
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    side.after(100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob DATA 8 y");
    side.receive_data(bob, 1, "theirs");
    EXPECT_EQ(side.event(), "message from bob: theirs; 7 confirmed after 1");
}

// Sends that ended before they were transmitted remain in the queue until the next poll.
TEST(GtudpRefusal, many_cancelled_in_one_turn_fill_the_table_until_the_next) {
    Options options = small_options();
    options.sends_max = 4;
    Side side(options);
    for (int i = 0; i < 4; ++i) {
        const auto id = side.send(bob, "x");
        ASSERT_TRUE(id);
        ASSERT_TRUE(side.endpoint.cancel(*id));
        EXPECT_NE(side.event(), "");
    }
    EXPECT_EQ(side.endpoint.in_flight(), 0u);
    EXPECT_EQ(side.send(bob, "x"), unexpected(Refusal::table_full));
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_TRUE(side.send(bob, "y"));
    EXPECT_EQ(side.transmitted(), "bob DATA 11 y");
}

TEST(GtudpSender, an_index_reused_in_one_turn_is_sent_once) {
    Side side(steady_options());
    const auto first = side.send(bob, "x");
    ASSERT_TRUE(side.endpoint.cancel(*first));
    side.event();
    const auto second_one = side.send(bob, "y");
    ASSERT_EQ(second_one->index, first->index);
    EXPECT_EQ(side.transmitted(), "bob DATA 8 y");
    EXPECT_EQ(side.counters().data_sent, 1u);
    side.after(100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob DATA 8 y");
    EXPECT_EQ(side.counters().data_sent, 2u);
}

// An Endpoint retransmits before it sends new messages, so this needs a Sender alone.
TEST(GtudpSender, a_full_resend_queue_causes_a_later_retry) {
    Options options = steady_options();
    options.sends_max = 2;
    Context context(options);
    Sender sender(context);
    Bytes out(limits::datagram_bytes_max);
    const auto send_two = [&](Instant now) {
        std::vector<ExchangeId> ids;
        for (int i = 0; i < 2; ++i) ids.push_back(*sender.send(now, bob, bytes_of("x"), never, Origin::own));
        EXPECT_TRUE(sender.poll_fresh(now, out));
        sender.expire(now + 100 * millisecond);
        return ids;
    };
    for (const ExchangeId id : send_two(0)) EXPECT_TRUE(sender.cancel(id));
    while (sender.has_ended()) {
        Address peer;
        ExchangeId id;
        Outcome outcome{};
        std::uint32_t sends = 0;
        sender.take_ended(peer, id, outcome, sends);
        EXPECT_EQ(peer, bob);
        EXPECT_EQ(outcome, Outcome::cancelled);
        EXPECT_EQ(sends, 1u);
    }
    send_two(second);  // queued behind two that have ended
    EXPECT_EQ(sender.next_timeout(), second + 200 * millisecond);
    EXPECT_FALSE(sender.poll_resends(second + 100 * millisecond, out));
    sender.expire(second + 200 * millisecond);
    const auto transmit = sender.poll_resends(second + 200 * millisecond, out);
    ASSERT_TRUE(transmit);
    EXPECT_EQ(segment_count(transmit->bytes, transmit->segment_bytes), 2u);
    EXPECT_EQ(context.counts.data_sent, 6u);
    EXPECT_EQ(context.counts.data_resent, 2u);
}

// ---- identities -----------------------------------------------------------------------------------

TEST(GtudpSender, identities_count_up_across_peers_and_wrap) {
    Options options = small_options();
    options.first_identity = UINT32_MAX - 1;
    Side side(options);
    EXPECT_EQ(side.send(bob, "")->identity, side.identity_of(bob, UINT32_MAX - 1));
    EXPECT_EQ(side.send(carol, "")->identity, side.identity_of(carol, UINT32_MAX));
    EXPECT_EQ(side.send(bob, "")->identity, side.identity_of(bob, 0));
    EXPECT_EQ(side.send(bob, std::string(9'000, 'x')), unexpected(Refusal::table_full));
    EXPECT_EQ(side.send(bob, "")->identity, side.identity_of(bob, 1)) << "refused sends use no identity";
    EXPECT_EQ(side.counters().identities_skipped, 0u);
}

TEST(GtudpSender, the_identity_of_one_peer_does_not_tell_that_of_another) {
    std::set<Identity> offsets;
    for (std::uint64_t secret = 0; secret < 4; ++secret) {
        Options options = small_options();
        options.key = {secret, 2};
        Side side(options);
        for (const Address& peer : {alice, bob, carol, dave}) {
            const Identity counted = 7 + side.endpoint.in_flight();
            offsets.insert(side.send(peer, "")->identity - counted);
        }
    }
    EXPECT_EQ(offsets.size(), 16u) << "each depends on the address and on the key";
}

TEST(GtudpSender, a_peer_that_was_evicted_keeps_its_offset) {
    Options options = small_options();
    options.peers_max = 1;
    Side side(options);
    const Identity first = side.send(bob, "")->identity;
    side.transmitted();
    side.receive_recv(bob, 7);
    side.event();
    side.transmitted();
    EXPECT_TRUE(side.endpoint.cancel(*side.send(carol, "")));
    side.event();
    EXPECT_EQ(side.counters().peers_forgotten, 1u);
    EXPECT_EQ(side.send(bob, "")->identity, first + 2) << "so identities stay unique in its remembered window";
}

// ---- trains ---------------------------------------------------------------------------------------

TEST(GtudpTrains, equal_messages_to_one_peer_and_a_shorter_one_at_the_end) {
    Side side(small_options());
    for (const char* text : {"aaa", "bbb", "c", "d", "eee", "ffff"}) ASSERT_TRUE(side.send(bob, text));
    EXPECT_EQ(side.transmitted(),
              "bob DATA 7 aaa, DATA 8 bbb, DATA 9 c; bob DATA 10 d; bob DATA 11 eee; bob DATA 12 ffff");
}

TEST(GtudpTrains, another_peer_starts_another) {
    Side side(small_options());
    for (const Address& to : {bob, bob, carol, bob}) ASSERT_TRUE(side.send(to, "x"));
    EXPECT_EQ(side.transmitted(), "bob DATA 7 x, DATA 8 x; carol DATA 9 x; bob DATA 10 x");
}

TEST(GtudpTrains, are_limited_to_128_segments_and_the_size_of_a_datagram) {
    Options options = small_options();
    options.sends_max = 512;
    options.payload_bytes = 1u << 20;
    options.congestion = CongestionControl::fixed;
    Side side(options);
    Outbox outbox;
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(side.send(bob, "12345"));
    for (const std::size_t count : {128u, 128u, 44u}) {
        const auto sent = outbox.poll(side.endpoint, side.now);
        ASSERT_TRUE(sent);
        EXPECT_EQ(sent->datagrams().size(), count);
        EXPECT_EQ(sent->transmit.segment_bytes, 10u);
    }
    // 1472 bytes each with header: 44 fit into 65,507.
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(side.send(bob, std::string(1'467, 'x')));
    for (const std::size_t count : {44u, 6u})
        EXPECT_EQ(outbox.poll(side.endpoint, side.now)->datagrams().size(), count);
    EXPECT_FALSE(outbox.poll(side.endpoint, side.now));
    EXPECT_EQ(side.counters().data_sent, 350u);
}

TEST(GtudpTrains, ended_sends_leave_no_gap) {
    Side side(small_options());
    std::vector<ExchangeId> ids;
    for (const Address& to : {bob, bob, carol, bob}) ids.push_back(*side.send(to, "x"));
    for (const std::size_t ended : {0u, 2u}) EXPECT_TRUE(side.endpoint.cancel(ids[ended]));
    EXPECT_EQ(side.transmitted(), "bob DATA 8 x, DATA 10 x");
}

TEST(GtudpTrains, acks_form_one_per_peer) {
    Side side(small_options());
    for (const Identity identity : {1u, 2u, 3u}) side.receive_recv(bob, identity);
    side.receive_recv(carol, 4);
    side.receive_recv(bob, 5);
    EXPECT_EQ(side.transmitted(), "bob ACK 1, ACK 2, ACK 3; carol ACK 4; bob ACK 5");
}

// ---- answers to RECVs -----------------------------------------------------------------------------

TEST(GtudpSender, a_recv_of_an_unknown_exchange_is_acknowledged) {
    Side side(small_options());
    side.receive_recv(bob, 99);
    EXPECT_EQ(side.transmitted(), "bob ACK 99");
    EXPECT_EQ(side.event(), "");
    const Counters counts = side.counters();
    EXPECT_EQ(counts.recv_received, 1u);
    EXPECT_EQ(counts.recv_unknown, 1u);
    EXPECT_EQ(counts.ack_sent, 1u);
    EXPECT_EQ(counts.ack_unknown_sent, 1u);
}

TEST(GtudpSender, unknown_peers_share_a_number_of_acks_per_second) {
    Options options = small_options();
    options.unknown_acks_per_s = 4;
    options.peers_max = 16;
    Side side(options);
    const auto ask = [&](int times) {
        const std::uint64_t before = side.counters().ack_sent;
        for (int i = 0; i < times; ++i)
            side.receive_recv(Address::v4(10, 9, 9, static_cast<std::uint8_t>(i), 1), static_cast<Identity>(i));
        side.transmitted();
        return side.counters().ack_sent - before;
    };
    EXPECT_EQ(ask(10), 4u);
    EXPECT_EQ(side.counters().ack_withheld, 6u);
    side.after(250 * millisecond - 1);
    EXPECT_EQ(ask(10), 0u);
    side.after(1);
    EXPECT_EQ(ask(10), 1u);
    side.after(600 * millisecond);
    EXPECT_EQ(ask(1), 1u);
    EXPECT_EQ(ask(9), 1u);
    side.after(150 * millisecond);
    EXPECT_EQ(ask(9), 1u) << "fractions of the interval are not lost";
    side.after(3'600 * second);
    EXPECT_EQ(ask(10), 4u) << "an idle hour saves at most one second's worth";
    const Counters counts = side.counters();
    EXPECT_EQ(counts.recv_unknown, counts.ack_unknown_sent + counts.ack_withheld);
}

TEST(GtudpSender, a_peer_that_has_confirmed_has_an_ack_credit_of_its_own) {
    Options options = small_options();
    options.unknown_acks_per_s = 1;
    Side side(options);
    ASSERT_TRUE(side.send(bob, "x"));
    ASSERT_TRUE(side.send(bob, "y"));
    side.transmitted();
    side.receive_recv(bob, 7);
    side.receive_recv(bob, 8);
    side.transmitted();
    // Twice the ten sends of a RECV, with a rate of one a second.
    for (int i = 0; i < 25; ++i) side.receive_recv(bob, 7);
    EXPECT_EQ(side.counters().ack_unknown_sent, 20u);
    EXPECT_EQ(side.counters().ack_withheld, 5u);
    side.receive_recv(carol, 1);
    EXPECT_EQ(side.counters().ack_unknown_sent, 21u);
    side.after(second);
    side.receive_recv(bob, 7);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.counters().ack_unknown_sent, 22u);
}

TEST(GtudpSender, acks_to_unknown_peers_can_be_disabled) {
    Options options = small_options();
    options.unknown_acks_per_s = 0;
    Side side(options);
    side.after(second);
    side.receive_recv(bob, 1);
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().ack_withheld, 1u);
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
}

TEST(GtudpSender, acks_are_withheld_when_their_queue_is_full) {
    Options options = small_options();
    options.unknown_acks_per_s = 100'000;
    Side side(options);
    mark_verified(side, bob);
    side.after(second);
    for (Identity i = 1'000; i < 1'000 + 65'537; ++i) side.receive_recv(bob, i);
    EXPECT_EQ(side.counters().ack_withheld, 1u);
    for (Identity i = 0; i < 1'025; ++i)
        side.receive_recv(carol, i);  // addresses without a peer entry have a queue of
                                      // their own
    EXPECT_EQ(side.counters().ack_withheld, 2u);
    side.transmitted();
    EXPECT_EQ(side.counters().ack_unknown_sent, 65'536u + 1'024u);
    EXPECT_EQ(side.counters().ack_sent, 1u + 65'536u + 1'024u);
}

TEST(GtudpSender, a_queued_ack_holds_its_peer) {
    Options options = small_options();
    options.peers_max = 1;
    Side side(options);
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "7 confirmed after 1");
    EXPECT_FALSE(side.send(carol, "y")) << "the ACK to bob is still queued";
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    EXPECT_TRUE(side.send(carol, "y"));
}

TEST(GtudpSender, an_unknown_peer_without_an_ack_uses_no_entry) {
    Options options = small_options();
    options.unknown_acks_per_s = 1;
    options.peers_max = 1;
    Side side(options);
    for (const Address& unknown : {bob, carol, dave}) {
        side.receive_recv(unknown, 1);
        side.transmitted();
    }
    EXPECT_EQ(side.counters().ack_withheld, 2u);
    EXPECT_EQ(side.counters().peers_forgotten, 0u);
}

TEST(GtudpSender, an_unknown_peer_gets_its_ack_although_the_peer_table_is_full) {
    Options options = small_options();
    options.peers_max = 1;
    Side side(options);
    ASSERT_TRUE(side.send(bob, "x"));
    side.receive_recv(carol, 1);
    side.receive_recv(carol, 2);
    side.receive_recv(dave, 1);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 x; carol ACK 1, ACK 2; dave ACK 1");
    EXPECT_EQ(side.counters().peers_forgotten, 0u);
}

}  // namespace
}  // namespace ringpost::gtudp
