// A single received exchange: delivered once, its RECV repeated until an ACK, remembered, expired. Eviction is tested
// in receiver_room_test.cpp.

#include "codec/gtudp/receiver.hpp"

#include <gtest/gtest.h>

#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

const std::string long_text(100, 'x');  // enough for all RECVs to an unverified peer

TEST(GtudpReceiver, data_is_delivered_and_answered_until_an_ack) {
    Side side(steady_options());
    side.receive_data(bob, 1, "hello");
    EXPECT_EQ(side.event(), "message from bob: hello");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.after_timeout(), 100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.receive_ack(bob, 1);
    side.after(10 * second);
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.event(), "");
    const Counters counts = side.counters();
    EXPECT_EQ(counts.data_received, 1u);
    EXPECT_EQ(counts.delivered, 1u);
    EXPECT_EQ(counts.recv_sent, 2u);
    EXPECT_EQ(counts.recv_resent, 1u);
    EXPECT_EQ(counts.ack_received, 1u);
    EXPECT_EQ(counts.ack_unknown, 0u);
}

TEST(GtudpReceiver, empty_data_is_a_message) {
    Side side(small_options());
    side.receive_data(bob, 1);
    EXPECT_EQ(side.event(), "message from bob: ");
}

TEST(GtudpReceiver, a_duplicate_is_answered_at_once_and_not_delivered) {
    Side side(steady_options());
    side.receive_data(bob, 1, long_text);
    side.transmitted();
    side.event();
    side.after(millisecond);
    side.receive_data(bob, 1, long_text);
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.counters().duplicates, 1u);
    EXPECT_EQ(side.endpoint.poll_timeout(), side.now + 100 * millisecond) << "the next RECV is scheduled from this one";
    side.receive_ack(bob, 1);
    side.after(second);
    side.receive_data(bob, 1, "anything");
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "bob RECV 1") << "acknowledged, but received again";
    side.after(second);
    EXPECT_EQ(side.transmitted(), "") << "one RECV for each";
    EXPECT_EQ(side.counters().duplicates, 2u);
}

TEST(GtudpReceiver, duplicates_in_one_turn_are_answered_once) {
    Options options = steady_options();
    options.receives_max = 1;
    Side side(options);
    for (int i = 0; i < 3; ++i) side.receive_data(bob, 1, "hello");
    EXPECT_EQ(side.event(), "message from bob: hello");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.counters().duplicates, 2u);
    EXPECT_EQ(side.counters().recv_withheld, 0u) << "they are not queued twice";
}

TEST(GtudpReceiver, an_exchange_is_identified_by_address_and_identity) {
    Side side(small_options());
    Address other_port = bob;
    other_port.port = 1;
    side.receive_data(bob, 1, "a");
    side.receive_data(carol, 1, "b");
    side.receive_data(other_port, 1, "c");
    side.receive_data(bob, 2, "d");
    EXPECT_EQ(side.event(), "message from bob: a; message from carol: b; message from port 1: c; message from bob: d");
    EXPECT_EQ(side.transmitted(), "bob RECV 1; carol RECV 1; port 1 RECV 1; bob RECV 2");
}

TEST(GtudpReceiver, recvs_back_off_and_are_given_up) {
    Side side(small_options());
    side.receive_data(bob, 1, long_text);
    side.event();
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    for (int sent = 1; sent < 10; ++sent) {
        const Duration least = std::min(3 * second, 500 * millisecond << (sent - 1)), waited = side.after_timeout();
        EXPECT_GE(waited, least);
        EXPECT_LE(waited, least + least / 8);
        EXPECT_EQ(side.transmitted(), "bob RECV 1");
    }
    EXPECT_EQ(side.counters().recv_gave_up, 0u);
    EXPECT_GE(side.after_timeout(), 3 * second);
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().recv_gave_up, 1u);
    EXPECT_EQ(side.counters().recv_sent, 10u);
    EXPECT_EQ(side.counters().recv_resent, 9u);
    side.receive_data(bob, 1, long_text);
    EXPECT_EQ(side.transmitted(), "bob RECV 1") << "only after another DATA";
    EXPECT_EQ(side.event(), "") << "which is still a duplicate";
}

TEST(GtudpReceiver, fixed_interval_and_send_limit_of_the_reference_implementation) {
    Options options = small_options();
    options.resending.fixed_interval = 500 * millisecond;
    Side side(options);
    side.receive_data(bob, 1, long_text);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(side.transmitted(), "bob RECV 1");
        EXPECT_EQ(side.after_timeout(), 500 * millisecond);
    }
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().recv_gave_up, 1u);
}

TEST(GtudpReceiver, recv_sends_max_of_one_and_of_255) {
    for (const std::uint32_t sends_max : {1u, 255u}) {
        Options options = steady_options();
        options.resending.recv_sends_max = sends_max;
        Side side(options);
        side.receive_data(bob, 1, std::string(3'000, 'x'));
        std::uint32_t sent = 0;
        for (; side.transmitted() == "bob RECV 1"; ++sent) side.after_timeout();
        EXPECT_EQ(sent, sends_max);
        EXPECT_EQ(side.counters().recv_gave_up, 1u);
    }
}

TEST(GtudpReceiver, duplicates_count_as_sends) {
    Options options = steady_options();
    options.resending.recv_sends_max = 3;
    Side side(options);
    for (int i = 0; i < 257; ++i) {  // more than one byte counts
        side.receive_data(bob, 1, long_text);
        EXPECT_EQ(side.transmitted(), "bob RECV 1") << "each is answered";
    }
    side.after_timeout();
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().recv_gave_up, 1u);
    EXPECT_EQ(side.counters().recv_sent, 257u);
}

// ---- acknowledgements -----------------------------------------------------------------------------

TEST(GtudpReceiver, an_unexpected_ack_is_counted) {
    Side side(steady_options());
    side.receive_ack(bob, 1);
    side.receive_data(bob, 1, "x");
    side.receive_ack(bob, 1);  // its RECV has not been sent: a guess
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.receive_ack(carol, 1);
    side.receive_ack(bob, 2);
    EXPECT_EQ(side.counters().ack_unknown, 4u);
    side.after(100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.counters().ack_unknown, 4u);
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.counters().ack_unknown, 5u);
    EXPECT_EQ(side.counters().ack_received, 6u);
}

TEST(GtudpReceiver, an_ack_cancels_a_queued_recv) {
    Side side(steady_options());
    side.receive_data(bob, 1, "x");
    side.transmitted();
    side.after(100 * millisecond);
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.transmitted(), "");
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.transmitted(), "bob RECV 1") << "and a later one is sent once";
}

constexpr Duration stamp_unit = 1'024;  // unit of round-trip times, in ns

TEST(GtudpReceiver, the_ack_to_a_first_recv_is_a_round_trip_sample) {
    Side side(small_options());
    side.receive_data(bob, 1, "x");
    side.after(second);
    side.transmitted();
    side.after(5'000 * stamp_unit);
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.endpoint.rtt(bob), 5'000 * stamp_unit);
    // The next RECV waits for one timeout of three round-trip times.
    side.receive_data(bob, 2, "x");
    side.transmitted();
    const Duration least = 15'000 * stamp_unit, waited = side.after_timeout();
    EXPECT_GE(waited, least);
    EXPECT_LE(waited, least + least / 8);
}

// While ACKs arrive, a RECV without one was lost and is sent again without further back-off. New DATA does not show
// that our RECVs arrive.
TEST(GtudpReceiver, backs_off_only_from_a_peer_that_acknowledges_nothing) {
    for (const bool by_acks : {true, false}) {
        Side side(small_options());
        for (const Identity identity : {1u, 2u, 3u, 4u}) side.receive_data(bob, identity, long_text);
        side.transmitted();
        side.after(100'000 * stamp_unit);
        side.receive_ack(bob, 2);
        // Timers may wake up early where one was cancelled.
        const auto wait_for_the_lost = [&] {
            const Instant from = side.now;
            while (!side.transmitted().contains("RECV 1")) side.after_timeout();
            return side.now - from;
        };
        wait_for_the_lost();
        side.after(100 * millisecond);  // the others have been sent twice as well: their ACKs are not samples
        side.transmitted();
        const Duration timeout = 3 * 100'000 * stamp_unit;
        for (const Identity identity : {3u, 4u}) {
            side.after(millisecond);
            if (by_acks) {
                side.receive_ack(bob, identity);
                EXPECT_LE(wait_for_the_lost(), timeout + timeout / 8);
            } else {
                side.receive_data(bob, identity + 2, long_text);
                const Duration waited = wait_for_the_lost();
                EXPECT_GE(waited, identity == 4 ? timeout + timeout / 2 : timeout / 2);
            }
        }
        wait_for_the_lost();
        EXPECT_GE(wait_for_the_lost(), 2 * timeout) << "the peer is silent now";
    }
}

TEST(GtudpReceiver, the_ack_to_a_recv_sent_twice_is_not_a_sample) {
    Side side(steady_options());
    side.receive_data(bob, 1, "x");
    side.transmitted();
    side.after(100 * millisecond);
    side.transmitted();
    side.receive_ack(bob, 1);
    EXPECT_EQ(side.endpoint.rtt(bob), 0);
}

// ---- spoofed sources ------------------------------------------------------------------------------

TEST(GtudpReceiver, an_unverified_peer_receives_at_most_three_times_its_bytes) {
    Side side(steady_options());
    side.receive_data(bob, 1);  // as long as a RECV
    std::uint64_t left = 0;
    for (int i = 0; i < 10; ++i, side.after_timeout()) left += side.transmitted() == "bob RECV 1";
    EXPECT_EQ(left, 3u);
    EXPECT_EQ(side.counters().recv_sent, 3u);
    EXPECT_EQ(side.counters().recv_withheld, 7u);
    EXPECT_EQ(side.counters().recv_gave_up, 1u);
    side.receive_data(bob, 1);
    EXPECT_EQ(side.transmitted(), "bob RECV 1") << "each DATA allows three more";
}

TEST(GtudpReceiver, ip_and_udp_headers_count_in_both_directions) {
    Options options = steady_options();
    options.resending.recv_sends_max = 20;
    Address v6 = bob;
    v6.ip[0] = 0xfe;
    for (const auto& [peer, headers] : {std::pair(bob, 28), std::pair(v6, 48)}) {
        Side side(options);
        side.receive_data(peer, 1, std::string(60, 'x'));
        for (int i = 0; i < 20; ++i, side.after(100 * millisecond)) side.transmitted();
        EXPECT_EQ(side.counters().recv_sent, static_cast<std::uint64_t>(3 * (headers + 65) / (headers + 5)));
    }
}

TEST(GtudpReceiver, the_reflection_budget_is_shared_by_all_exchanges_of_an_address) {
    Options options = steady_options();
    options.resending.recv_sends_max = 4;
    Side side(options);
    side.receive_data(bob, 1, long_text);
    side.receive_data(carol, 1);
    for (Identity identity = 2; identity < 6; ++identity) side.receive_data(bob, identity);
    std::size_t bobs = 0, carols = 0;
    for (int i = 0; i < 4; ++i, side.after(100 * millisecond)) {
        const std::string left = side.transmitted();
        bobs += static_cast<std::size_t>(std::ranges::count(left, 'R')) - left.contains("carol");
        carols += left.contains("carol");
    }
    EXPECT_EQ(bobs, 20u) << "the long DATA allowed RECVs for the short ones";
    EXPECT_EQ(carols, 3u);
}

TEST(GtudpReceiver, only_a_peer_that_has_confirmed_is_not_limited) {
    Options options = steady_options();
    Side side(options);
    mark_verified(side, carol);
    side.receive_data(carol, 2);
    for (int i = 0; i < 10; ++i, side.after(100 * millisecond)) EXPECT_EQ(side.transmitted(), "carol RECV 2");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().recv_withheld, 0u);
}

// The sender of the DATA chose the identity, so a spoofer can acknowledge what it never receives.
TEST(GtudpReceiver, an_ack_proves_nothing_but_its_bytes_count) {
    Side side(steady_options());
    side.receive_data(bob, 1);
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.receive_ack(bob, 1);
    side.receive_data(bob, 2);
    side.receive_ack(bob, 77);
    std::uint64_t left = 0;
    for (int i = 0; i < 10; ++i, side.after(100 * millisecond)) left += side.transmitted() == "bob RECV 2";
    EXPECT_EQ(left, 10u) << "twelve frames are allowed, one has been sent";
    side.receive_data(bob, 3);
    left = 0;
    for (int i = 0; i < 10; ++i, side.after(100 * millisecond)) left += side.transmitted() == "bob RECV 3";
    EXPECT_EQ(left, 4u) << "what remained, and three more";
}

TEST(GtudpReceiver, a_recv_of_an_unknown_exchange_counts_and_so_does_its_ack) {
    Side side(steady_options());
    side.receive_data(bob, 1);
    side.receive_recv(bob, 99);
    EXPECT_EQ(side.transmitted(), "bob RECV 1; bob ACK 99");
    std::uint64_t left = 0;
    for (int i = 0; i < 10; ++i, side.after(100 * millisecond)) left += side.transmitted() == "bob RECV 1";
    EXPECT_EQ(left, 4u) << "six frames are allowed, two have been sent";
}

// ---- remembered ----------------------------------------------------------------------------------

TEST(GtudpReceiver, remembered_for_the_window_after_the_last_datagram) {
    Options options = steady_options();
    options.remembered = 5 * second;
    Side side(options);
    side.receive_data(bob, 1, "x");
    side.transmitted();
    side.receive_ack(bob, 1);
    side.event();
    side.after(5 * second - 1);
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.after(5 * second - 1);
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "") << "the window restarts with each";
    side.transmitted();
    side.after(5 * second);
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt) << "expired";
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "message from bob: x");
    EXPECT_EQ(side.counters().delivered, 2u);
    EXPECT_EQ(side.counters().forgotten_early, 0u);
}

TEST(GtudpReceiver, does_not_expire_while_its_recv_is_queued) {
    Options options = steady_options();
    options.remembered = second;
    Side side(options);
    side.receive_data(bob, 1, "x");
    side.transmitted();
    side.receive_ack(bob, 1);
    side.event();
    side.after(second - 1);
    side.receive_data(bob, 1, "x");
    side.after(2 * second);  // without a poll_transmit
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "");
}

TEST(GtudpReceiver, an_unacknowledged_exchange_is_remembered_from_when_it_was_given_up) {
    Options options = steady_options();
    options.remembered = second;
    options.resending.recv_sends_max = 2;
    Side side(options);
    side.receive_data(bob, 1, "x");
    side.transmitted();
    side.after(100 * millisecond);
    side.transmitted();
    side.after(100 * millisecond);
    side.event();
    side.after(second - 1);
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    side.after(second);
    side.receive_data(bob, 1, "x");
    EXPECT_EQ(side.event(), "message from bob: x");
}

}  // namespace
}  // namespace ringpost::gtudp
