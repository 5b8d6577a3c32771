// Full tables: which DATA is refused, and which exchanges are evicted.

#include <gtest/gtest.h>

#include "codec/gtudp/receiver.hpp"
#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

Options roomy(std::uint32_t receives_max, std::uint32_t peers_max = 4) {
    Options options = steady_options();
    options.receives_max = receives_max;
    options.peers_max = peers_max;
    return options;
}

/// Delivers a DATA and acknowledges its RECV, so that the exchange is only remembered.
void exchange(Side& side, const Address& from, Identity identity) {
    side.receive_data(from, identity, "x");
    side.transmitted();
    side.receive_ack(from, identity);
    ASSERT_NE(side.event(), "");
}

/// Whether a DATA is still known. Receives it again, which changes the state if it is not.
bool remembers(Side& side, const Address& from, Identity identity) {
    const std::uint64_t before = side.counters().duplicates;
    side.receive_data(from, identity, "x");
    return side.counters().duplicates > before;
}

TEST(GtudpReceiverRoom, a_message_without_space_is_as_if_never_received) {
    Options options = steady_options();
    options.event_bytes = 128;
    Side side(options);
    const std::string text(64, 'x');
    side.receive_data(bob, 1, text);
    side.receive_data(bob, 2, text);
    EXPECT_EQ(side.counters().app_behind, 1u);
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.event(), "message from bob: " + text);
    side.receive_data(bob, 2, text);
    EXPECT_EQ(side.event(), "message from bob: " + text);
    EXPECT_EQ(side.transmitted(), "bob RECV 2");
    EXPECT_EQ(side.counters().app_behind, 1u);
    EXPECT_EQ(side.counters().delivered, 2u);
    EXPECT_EQ(side.counters().duplicates, 0u);
}

TEST(GtudpReceiverRoom, deliveries_max_limits_the_messages) {
    Options options = steady_options();
    options.deliveries_max = 2;
    Side side(options);
    for (Identity identity = 1; identity <= 3; ++identity) side.receive_data(bob, identity, "x");
    EXPECT_EQ(side.event(), "message from bob: x; message from bob: x");
    EXPECT_EQ(side.transmitted(), "bob RECV 1, RECV 2");
    EXPECT_EQ(side.counters().app_behind, 1u);
    side.receive_data(bob, 2, "x");
    EXPECT_EQ(side.transmitted(), "bob RECV 2") << "its sender may not have received it";
    EXPECT_EQ(side.event(), "");
}

TEST(GtudpReceiverRoom, a_returned_event_occupies_space_until_the_next_poll) {
    Options options = steady_options();
    options.event_bytes = 128;
    Side side(options);
    const std::string text(64, 'x');
    side.receive_data(bob, 1, text);
    const auto event = side.endpoint.poll_event();
    side.receive_data(bob, 2, std::string(64, 'y'));
    EXPECT_EQ(side.counters().app_behind, 1u);
    EXPECT_EQ(text_of(event->bytes), text);
}

TEST(GtudpReceiverRoom, exchanges_of_a_verified_peer_awaiting_an_ack_are_never_evicted) {
    Side side(roomy(4));
    mark_verified(side, bob);
    for (Identity identity = 0; identity < 4; ++identity) side.receive_data(bob, identity, "x");
    side.event();
    side.transmitted();
    side.receive_data(bob, 4, "x");
    side.receive_data(carol, 4, "x");
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().receives_full, 2u);
    EXPECT_EQ(side.counters().forgotten_early, 0u);
    side.receive_ack(bob, 2);
    side.receive_data(bob, 4, "y");
    EXPECT_EQ(side.event(), "message from bob: y") << "its sender has retransmitted";
    EXPECT_EQ(side.counters().forgotten_early, 1u);
}

TEST(GtudpReceiverRoom, a_single_peer_loses_its_oldest_exchange) {
    Side side(roomy(4));
    for (const Identity identity : {1u, 2u, 3u, 4u}) exchange(side, bob, identity);
    EXPECT_TRUE(remembers(side, bob, 1)) << "received again, but the order is that of completion";
    exchange(side, bob, 5);
    exchange(side, bob, 6);
    EXPECT_EQ(side.counters().forgotten_early, 2u);
    for (const Identity identity : {3u, 4u, 5u, 6u}) EXPECT_TRUE(remembers(side, bob, identity)) << identity;
    EXPECT_FALSE(remembers(side, bob, 1));
}

// A peer with less than half of an even share among the verified peers is safe: here a share of 16 among two.
TEST(GtudpReceiverRoom, a_flooding_peer_evicts_only_its_own_exchanges) {
    Side side(roomy(16));
    for (const Identity identity : {1u, 2u, 3u}) exchange(side, carol, identity);
    for (Identity identity = 0; identity < 1'000; ++identity) exchange(side, bob, identity);
    EXPECT_EQ(side.counters().forgotten_early, 1'000u - 13u);
    for (const Identity identity : {1u, 2u, 3u}) EXPECT_TRUE(remembers(side, carol, identity)) << identity;
    for (Identity identity = 999; identity > 999 - 13; --identity) EXPECT_TRUE(remembers(side, bob, identity));
}

TEST(GtudpReceiverRoom, a_peer_with_exactly_half_a_share_is_evictable) {
    Side side(roomy(16));
    for (const Identity identity : {1u, 2u, 3u, 4u}) exchange(side, carol, identity);
    for (Identity identity = 0; identity < 13; ++identity) exchange(side, bob, identity);
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    for (Identity identity = 0; identity < 13; ++identity) EXPECT_TRUE(remembers(side, bob, identity)) << identity;
    EXPECT_FALSE(remembers(side, carol, 1));
}

TEST(GtudpReceiverRoom, a_peer_above_its_share_loses_to_new_ones) {
    Side side(roomy(16));
    for (Identity identity = 0; identity < 16; ++identity) exchange(side, bob, identity);
    for (Identity identity = 0; identity < 20; ++identity) exchange(side, carol, identity);
    EXPECT_EQ(side.counters().forgotten_early, 20u);
    std::uint32_t bobs = 0;
    for (Identity identity = 0; identity < 16; ++identity) {
        const std::uint64_t before = side.counters().forgotten_early;
        if (!remembers(side, bob, identity)) break;
        EXPECT_EQ(side.counters().forgotten_early, before);
        ++bobs;
    }
    EXPECT_LE(bobs, 4u);
}

TEST(GtudpReceiverRoom, a_new_peer_evicts_the_oldest_of_large_peers_only) {
    Side side(roomy(16));
    exchange(side, carol, 1);
    for (Identity identity = 0; identity < 15; ++identity) exchange(side, bob, identity);
    exchange(side, dave, 1);
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    EXPECT_TRUE(remembers(side, carol, 1));
    for (Identity identity = 1; identity < 15; ++identity) EXPECT_TRUE(remembers(side, bob, identity)) << identity;
    EXPECT_FALSE(remembers(side, bob, 0));
}

TEST(GtudpReceiverRoom, an_unverified_peer_has_no_share) {
    Options options = roomy(16);
    options.resending.recv_sends_max = 1;
    Side side(options);
    side.receive_data(carol, 1, "x");
    side.transmitted();
    side.after(100 * millisecond);  // given up, and remembered without an ACK
    EXPECT_EQ(side.counters().recv_gave_up, 1u);
    for (Identity identity = 0; identity < 15; ++identity) exchange(side, bob, identity);
    exchange(side, dave, 1);
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    for (Identity identity = 0; identity < 15; ++identity) EXPECT_TRUE(remembers(side, bob, identity)) << identity;
    EXPECT_FALSE(remembers(side, carol, 1));
}

// Depends on chance, so uses many seeds: half of all places are evictable, but not the first sixteen.
TEST(GtudpReceiverRoom, evictable_places_are_found_behind_many_others) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Options options = roomy(32);
        options.seed = seed;
        Side side(options);
        mark_verified(side, bob);
        for (Identity identity = 0; identity < 16; ++identity) side.receive_data(bob, identity, "x");
        for (Identity identity = 16; identity < 32; ++identity) exchange(side, bob, identity);
        exchange(side, dave, 1);
        EXPECT_EQ(side.counters().forgotten_early, 1u) << "seed " << seed;
        EXPECT_TRUE(remembers(side, dave, 1)) << "seed " << seed;
        for (Identity identity = 0; identity < 16; ++identity)
            EXPECT_TRUE(remembers(side, bob, identity)) << "it waits, seed " << seed;
    }
}

TEST(GtudpReceiverRoom, a_small_peer_loses_its_own_if_no_other_is_evictable) {
    Side side(roomy(32));
    mark_verified(side, carol);
    exchange(side, bob, 1);
    exchange(side, bob, 2);
    for (Identity identity = 0; identity < 30; ++identity) side.receive_data(carol, identity, "x");
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.counters().receives_full, 1u);
    side.event();
    exchange(side, bob, 3);
    EXPECT_EQ(side.counters().receives_full, 1u);
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    EXPECT_TRUE(remembers(side, bob, 2));
    EXPECT_TRUE(remembers(side, bob, 3));
}

TEST(GtudpReceiverRoom, receives_per_peer_max_limits_a_peer) {
    Options options = roomy(16);
    options.receives_per_peer_max = 2;
    Side side(options);
    side.receive_data(bob, 1, "x");
    side.receive_data(bob, 2, "x");
    side.transmitted();
    side.receive_data(bob, 3, "x");
    EXPECT_EQ(side.counters().receives_peer_full, 1u);
    EXPECT_EQ(side.transmitted(), "");
    side.receive_data(carol, 3, "x");
    EXPECT_EQ(side.transmitted(), "carol RECV 3");
    side.receive_ack(bob, 2);
    side.receive_data(bob, 3, "x");
    EXPECT_EQ(side.transmitted(), "bob RECV 3");
    EXPECT_EQ(side.counters().receives_peer_full, 1u);
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    EXPECT_TRUE(remembers(side, bob, 1));
    EXPECT_EQ(side.counters().delivered, 4u);
}

TEST(GtudpReceiverRoom, expired_exchanges_do_not_count_against_limits) {
    Options options = roomy(16);
    options.receives_per_peer_max = 2;
    Side side(options);
    for (Identity identity = 0; identity < 6; identity += 2) {
        exchange(side, bob, identity);
        exchange(side, bob, identity + 1);
        side.after(30 * second);
    }
    EXPECT_EQ(side.counters().forgotten_early, 0u);
    EXPECT_EQ(side.counters().delivered, 6u);
}

TEST(GtudpReceiverRoom, eviction_out_of_order_keeps_the_order_of_the_others) {
    Side side(roomy(8));
    mark_verified(side, carol);
    mark_verified(side, dave);
    for (const Identity identity : {1u, 2u, 3u, 4u}) side.receive_data(bob, identity, "x");
    for (const Identity identity : {1u, 2u, 3u, 4u}) side.receive_data(carol, identity, "x");
    side.transmitted();
    for (const Identity identity : {2u, 1u, 3u, 4u}) side.receive_ack(bob, identity);
    side.receive_data(dave, 1, "x");  // takes the place of bob's 1, which is not the first completed
    for (const Identity identity : {5u, 6u}) side.receive_data(bob, identity, "x");
    EXPECT_EQ(side.counters().forgotten_early, 3u);
    EXPECT_EQ(side.counters().receives_full, 0u);
    EXPECT_TRUE(remembers(side, dave, 1));
    for (const Identity identity : {4u, 5u, 6u}) EXPECT_TRUE(remembers(side, bob, identity)) << identity;
    for (const Identity identity : {1u, 2u, 3u, 4u}) EXPECT_TRUE(remembers(side, carol, identity)) << identity;
}

TEST(GtudpReceiverRoom, a_limit_of_no_exchanges_accepts_none) {
    Options options = roomy(4);
    options.receives_per_peer_max = 0;
    Side side(options);
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.counters().receives_peer_full, 1u);
    EXPECT_EQ(side.event(), "");
}

TEST(GtudpReceiverRoom, an_exchange_evicted_with_a_queued_recv_sends_none) {
    Side side(roomy(2));
    exchange(side, bob, 1);
    exchange(side, bob, 2);
    EXPECT_TRUE(remembers(side, bob, 1));  // so its RECV is queued again
    side.receive_data(bob, 3, "x");
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    EXPECT_EQ(side.transmitted(), "bob RECV 3") << "once, although its index is queued twice";
}

TEST(GtudpReceiverRoom, recvs_that_do_not_fit_in_the_queue_count_as_lost) {
    Options options = roomy(2);
    options.remembered = 10 * second;
    Side side(options);
    exchange(side, bob, 1);
    exchange(side, bob, 2);
    // Both indices are queued for their previous exchange, and again for their current one.
    EXPECT_TRUE(remembers(side, bob, 1));
    EXPECT_TRUE(remembers(side, bob, 2));
    side.receive_data(bob, 3, "x");
    EXPECT_EQ(side.counters().recv_withheld, 1u);
    side.transmitted();
    side.after(100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob RECV 3");
    side.receive_ack(bob, 3);
    EXPECT_EQ(side.counters().ack_unknown, 0u);
}

// ---- peers ----------------------------------------------------------------------------------------

TEST(GtudpReceiverRoom, a_new_peer_is_refused_while_all_others_have_exchanges_in_progress) {
    Side side(roomy(16, 2));
    mark_verified(side, bob);
    side.receive_data(bob, 1, "x");
    ASSERT_TRUE(side.send(carol, "y"));
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.counters().peers_full, 1u);
    EXPECT_EQ(side.event(), "message from bob: x");
    EXPECT_EQ(side.transmitted(), "bob RECV 1; carol DATA 8 y");
}

TEST(GtudpReceiverRoom, a_verified_peer_is_not_evicted_for_an_unknown_one) {
    Side side(roomy(16, 1));
    mark_verified(side, bob);
    exchange(side, bob, 1);
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.counters().peers_full, 1u);
    EXPECT_EQ(side.counters().peers_forgotten, 0u);
    side.after(30 * second);  // all exchanges of bob have expired
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.event(), "message from dave: x");
    EXPECT_EQ(side.counters().peers_forgotten, 1u);
}

// A spoofer can acknowledge as well, so acknowledgements must not keep others out.
TEST(GtudpReceiverRoom, a_peer_that_has_only_acknowledged_is_evicted_for_an_unknown_one) {
    Side side(roomy(16, 1));
    for (Identity identity = 1; identity < 10; ++identity) exchange(side, bob, identity);
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.event(), "message from dave: x");
    EXPECT_EQ(side.counters().forgotten_early, 9u);
    EXPECT_EQ(side.counters().peers_forgotten, 1u);
}

TEST(GtudpReceiverRoom, one_that_still_awaits_an_ack_is_evicted_in_the_end) {
    Side side(roomy(16, 1));
    exchange(side, bob, 1);
    side.receive_data(bob, 2, "x");
    side.receive_data(bob, 3, "x");
    side.event();
    bool delivered = false;
    for (int i = 0; i < 4 && !delivered; ++i) {
        side.receive_data(dave, 1, "x");
        delivered = side.event() == "message from dave: x";
    }
    EXPECT_TRUE(delivered);
}

TEST(GtudpReceiverRoom, one_that_has_acknowledged_nothing_is_evicted_first) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Options options = roomy(256, 16);
        options.seed = seed;
        Side side(options);
        const auto at = [](Identity port) { return Address::v4(9, 9, 9, 9, static_cast<std::uint16_t>(port)); };
        for (Identity i = 0; i < 8; ++i) exchange(side, at(i), 1);
        for (Identity i = 8; i < 16; ++i) side.receive_data(at(i), 1, "x");
        for (Identity i = 16; i < 100; ++i) side.receive_data(at(i), 1, "x");
        side.event();
        for (Identity i = 0; i < 8; ++i) EXPECT_TRUE(remembers(side, at(i), 1)) << i;
    }
}

// Each would otherwise keep its places for as long as its RECVs are repeated.
TEST(GtudpReceiverRoom, waiting_exchanges_of_peers_that_only_acknowledged_do_not_fill_the_table) {
    Side side(roomy(4));
    exchange(side, bob, 1);
    for (const Identity identity : {2u, 3u, 4u}) side.receive_data(bob, identity, "x");
    side.event();
    for (const Address& from : {carol, dave}) {
        side.receive_data(from, 1, "x");
        EXPECT_EQ(side.event(), "message from " + name_of(from) + ": x");
    }
    EXPECT_EQ(side.counters().receives_full, 0u);
}

TEST(GtudpReceiverRoom, an_unverified_peer_is_evicted_with_all_its_exchanges) {
    Side side(roomy(4, 1));
    for (const Identity identity : {1u, 2u, 3u}) side.receive_data(bob, identity, "x");
    side.transmitted();
    side.event();
    side.receive_data(dave, 1, "x");
    EXPECT_EQ(side.event(), "message from dave: x");
    EXPECT_EQ(side.transmitted(), "dave RECV 1");
    EXPECT_EQ(side.counters().peers_forgotten, 1u);
    EXPECT_EQ(side.counters().forgotten_early, 3u);
    side.after(60 * second);  // no timers of evicted exchanges remain
    EXPECT_LE(side.counters().recv_gave_up, 1u);
}

// It is awaiting an ACK, so it is not in the list of remembered exchanges.
TEST(GtudpReceiverRoom, exchanges_of_an_unverified_peer_awaiting_an_ack_are_evictable) {
    Side side(roomy(4));
    for (const Identity identity : {1u, 2u, 3u, 4u}) side.receive_data(bob, identity, "x");
    side.transmitted();
    side.event();
    side.receive_data(carol, 1, "x");
    EXPECT_EQ(side.event(), "message from carol: x");
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.counters().ack_unknown, 1u) << "the oldest was evicted";
    for (const Identity identity : {2u, 3u, 4u}) side.receive_ack(bob, identity);
    EXPECT_EQ(side.counters().ack_unknown, 1u);
}

TEST(GtudpReceiverRoom, unverified_peers_do_not_keep_us_from_sending) {
    Side side(roomy(4, 1));
    side.receive_data(bob, 1, "x");
    EXPECT_TRUE(side.send(carol, "y"));
    EXPECT_EQ(side.counters().forgotten_early, 1u);
    EXPECT_EQ(side.transmitted(), "carol DATA 7 y");
}

TEST(GtudpReceiverRoom, a_refused_peer_leaves_no_state) {
    Side side(roomy(2, 2));
    mark_verified(side, bob);
    side.receive_data(bob, 1, "x");
    side.receive_data(bob, 2, "x");
    for (std::uint16_t port = 1; port < 100; ++port) side.receive_data(Address::v4(9, 9, 9, 9, port), 1, "x");
    EXPECT_EQ(side.counters().receives_full, 99u);
    EXPECT_EQ(side.counters().peers_forgotten, 98u) << "each evicted by the next";
    EXPECT_EQ(side.transmitted(), "bob RECV 1, RECV 2");
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.counters().ack_unknown, 0u);
}

}  // namespace
}  // namespace ringpost::gtudp
