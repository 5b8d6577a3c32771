// A single exchange: outcomes, retransmissions, and confirmation. See also sender_limits_test.cpp.

#include "codec/gtudp/sender.hpp"

#include <gtest/gtest.h>

#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

TEST(GtudpSender, a_recv_confirms_and_is_acknowledged) {
    Side side(small_options());
    const auto id = side.send(bob, "hello");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->identity, side.identity_of(bob, 7));
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    EXPECT_EQ(side.event(), "");
    side.after(millisecond);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.endpoint.in_flight(), 0u);
    const auto event = side.endpoint.poll_event();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, Event::Kind::outcome);
    EXPECT_EQ(event->peer, bob);
    EXPECT_EQ(event->id, *id);
    EXPECT_EQ(event->outcome, Outcome::confirmed);
    EXPECT_EQ(event->sends, 1u);
    EXPECT_TRUE(event->bytes.empty());
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    side.after(100 * second);
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
    const Counters counts = side.counters();
    EXPECT_EQ(counts.taken, 1u);
    EXPECT_EQ(counts.confirmed, 1u);
    EXPECT_EQ(counts.data_sent, 1u);
    EXPECT_EQ(counts.data_resent, 0u);
    EXPECT_EQ(counts.recv_received, 1u);
    EXPECT_EQ(counts.ack_sent, 1u);
    EXPECT_EQ(counts.ack_unknown_sent, 0u);
    EXPECT_EQ(counts.recv_unknown, 0u);
}

TEST(GtudpSender, the_data_is_copied_and_may_be_empty_or_of_maximum_size) {
    Options options = small_options();
    options.payload_bytes = 1u << 17;
    options.congestion = CongestionControl::fixed;
    Side side(options);
    std::string text(Codec().data_bytes_max(), 'x');
    text.back() = 'y';
    const std::string sent = text;
    ASSERT_TRUE(side.send(bob, text));
    text.assign(text.size(), '-');
    ASSERT_TRUE(side.send(bob, ""));
    EXPECT_EQ(side.transmitted(), "bob DATA 7 " + sent + "; bob DATA 8 ");
}

TEST(GtudpSender, an_unanswered_send_backs_off_and_is_given_up) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "hello"));
    EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    EXPECT_EQ(side.transmitted(), "");
    // The initial timeout, doubled up to twice the maximum of three seconds, with up to an eighth of jitter.
    for (const Duration least : {500 * millisecond, second, 2 * second, 4 * second, 6 * second}) {
        const Duration waited = side.after_timeout();
        EXPECT_GE(waited, least);
        EXPECT_LE(waited, least + least / 8);
        EXPECT_EQ(side.event(), "");
        EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    }
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
    EXPECT_GE(side.after_timeout(), 6 * second) << "the last send has its full timeout";
    EXPECT_EQ(side.event(), "7 gave up after 6");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
    const Counters counts = side.counters();
    EXPECT_EQ(counts.gave_up_attempts, 1u);
    EXPECT_EQ(counts.data_sent, 6u);
    EXPECT_EQ(counts.data_resent, 5u);
}

TEST(GtudpSender, a_fixed_interval_is_exact) {
    Options options = small_options();
    options.resending.fixed_interval = 500 * millisecond;
    Side side(options);
    ASSERT_TRUE(side.send(bob, "hello"));
    EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    for (int i = 0; i < 5; ++i) {
        const Instant sent = side.now;
        side.at(sent + 500 * millisecond - 1);
        EXPECT_EQ(side.transmitted(), "");
        side.at(sent + 500 * millisecond);
        EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    }
    EXPECT_EQ(side.after_timeout(), 500 * millisecond);
    EXPECT_EQ(side.event(), "7 gave up after 6");
}

TEST(GtudpSender, the_interval_starts_when_the_data_is_sent) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "hello"));
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt) << "nothing has been sent";
    side.after(second);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 hello");
    EXPECT_EQ(side.endpoint.poll_timeout(), side.now + 100 * millisecond);
    side.after(100 * millisecond);
    side.after(second);  // the driver is late
    EXPECT_EQ(side.transmitted(), "bob DATA 7 hello") << "once, however late";
    EXPECT_EQ(side.endpoint.poll_timeout(), side.now + 100 * millisecond);
}

TEST(GtudpSender, sends_max_of_one_and_of_255) {
    for (const std::uint32_t sends_max : {1u, 255u}) {
        Options options = steady_options();
        options.resending.data_sends_max = sends_max;
        Side side(options);
        ASSERT_TRUE(side.send(bob, ""));
        std::uint32_t sent = 0;
        for (; side.transmitted() == "bob DATA 7 "; ++sent) side.after_timeout();
        EXPECT_EQ(sent, sends_max);
        EXPECT_EQ(side.event(), "7 gave up after " + std::to_string(sends_max));
    }
}

TEST(GtudpSender, confirmed_after_a_resend) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.after(100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 x");
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "7 confirmed after 2");
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
}

TEST(GtudpSender, a_recv_confirms_a_send_queued_for_retransmission_and_cancels_it) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.after(100 * millisecond);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    EXPECT_EQ(side.event(), "7 confirmed after 1");
    EXPECT_EQ(side.counters().data_sent, 1u);
}

TEST(GtudpSender, only_the_destination_confirms) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.receive_recv(carol, 7);
    side.receive_recv(bob, 8);
    Address other_port = bob;
    ++other_port.port;
    side.receive_recv(other_port, 7);
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.counters().recv_unknown, 3u);
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
}

TEST(GtudpSender, an_unsent_message_cannot_be_confirmed) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.counters().recv_unknown, 1u);
    EXPECT_EQ(side.counters().confirmed, 0u);
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "7 confirmed after 1");
}

TEST(GtudpSender, data_and_acks_do_not_confirm) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.receive_ack(bob, 7);
    side.receive_data(bob, 7, "theirs");
    EXPECT_EQ(side.event(), "message from bob: theirs");
    EXPECT_EQ(side.counters().ack_unknown, 1u);
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
}

// ---- round trips ----------------------------------------------------------------------------------

constexpr Duration rtt_unit = 1'024;  // unit of round-trip times, in ns

TEST(GtudpSender, a_first_confirmation_is_a_round_trip_sample) {
    Side side(small_options());
    EXPECT_EQ(side.endpoint.rtt(bob), 0);
    ASSERT_TRUE(side.send(bob, "x"));
    EXPECT_EQ(side.endpoint.rtt(bob), 0);
    side.transmitted();
    side.after(20'000 * rtt_unit);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.endpoint.rtt(bob), 20'000 * rtt_unit);
    EXPECT_EQ(side.endpoint.rtt(carol), 0);

    // The next waits for twice the timeout of three round-trip times (RFC 6298, 2.2), plus jitter.
    ASSERT_TRUE(side.send(bob, "y"));
    side.transmitted();
    const Duration least = 2 * 3 * 20'000 * rtt_unit, waited = side.after_timeout();
    EXPECT_GE(waited, least);
    EXPECT_LE(waited, least + least / 8);
}

// While the peer confirms other sends, an unconfirmed one was lost and is sent again without further back-off.
TEST(GtudpSender, backs_off_only_from_a_silent_peer) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "known"));
    side.transmitted();
    side.after(20'000 * rtt_unit);
    side.receive_recv(bob, 7);
    ASSERT_TRUE(side.send(bob, "lost"));
    side.transmitted();
    // Timers may wake up early where one was cancelled.
    const auto wait_for_the_lost = [&] {
        const Instant from = side.now;
        std::string left = side.transmitted();
        for (; left.empty(); left = side.transmitted()) side.after_timeout();
        EXPECT_EQ(left, "bob DATA 8 lost");
        return side.now - from;
    };
    const Duration timeout = 2 * 3 * 20'000 * rtt_unit;
    for (Identity other = 9; other < 12; ++other) {
        ASSERT_TRUE(side.send(bob, "other"));
        side.transmitted();
        side.after(20'000 * rtt_unit);
        side.receive_recv(bob, other);
        EXPECT_EQ(side.transmitted(), "bob ACK " + std::to_string(other));
        EXPECT_LE(wait_for_the_lost(), timeout + timeout / 8);
    }
    const Duration first = wait_for_the_lost();
    EXPECT_GT(wait_for_the_lost(), first * 3 / 2) << "the peer is silent now";
}

// Karn's algorithm: it is unknown which of the two sends was answered.
TEST(GtudpSender, a_confirmation_of_a_retransmitted_send_is_not_a_sample) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.after(100 * millisecond);
    side.transmitted();
    side.after(millisecond);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.counters().confirmed, 1u);
    EXPECT_EQ(side.endpoint.rtt(bob), 0);
}

// However soon it comes.
TEST(GtudpSender, a_confirmation_after_a_resend_leaves_the_round_trip) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "known"));
    side.transmitted();
    side.after(rtt_unit * 20'000);
    side.receive_recv(bob, 7);
    ASSERT_TRUE(side.send(bob, "lost"));
    side.transmitted();
    side.after_timeout();
    EXPECT_EQ(side.transmitted(), "bob DATA 8 lost");
    side.after(rtt_unit);
    side.receive_recv(bob, 8);
    EXPECT_EQ(side.counters().confirmed, 2u);
    EXPECT_EQ(side.endpoint.rtt(bob), rtt_unit * 20'000);
}

TEST(GtudpSender, a_repeated_recv_is_not_a_second_sample) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.after(rtt_unit * 1'000);
    side.receive_recv(bob, 7);
    side.after(rtt_unit * 100'000);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.endpoint.rtt(bob), rtt_unit * 1'000);
}

// A RECV that was lost is repeated by the timer of the peer, which does not measure the round trip.
TEST(GtudpSender, a_late_recv_of_an_old_send_is_not_a_sample) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "answer lost"));
    ASSERT_TRUE(side.send(bob, "answered"));
    side.transmitted();
    side.after(rtt_unit * 5'000);
    side.receive_recv(bob, 8);
    side.after(rtt_unit * 400'000);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.counters().confirmed, 2u);
    EXPECT_EQ(side.endpoint.rtt(bob), rtt_unit * 5'000);
}

TEST(GtudpSender, a_late_recv_of_a_newer_send_is_a_sample) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    side.after(rtt_unit * 5'000);
    side.receive_recv(bob, 7);
    ASSERT_TRUE(side.send(bob, "y"));
    side.transmitted();
    side.after(rtt_unit * 25'000);  // beyond the timeout of a RECV, but not of a DATA
    side.receive_recv(bob, 8);
    EXPECT_EQ(side.counters().data_resent, 0u);
    EXPECT_GT(side.endpoint.rtt(bob), rtt_unit * 5'000);
}

// ---- cancel ---------------------------------------------------------------------------------------

TEST(GtudpSender, cancelled_before_it_is_sent) {
    Side side(small_options());
    const auto id = side.send(bob, "x");
    EXPECT_TRUE(side.endpoint.cancel(*id));
    EXPECT_FALSE(side.endpoint.cancel(*id)) << "it has ended, although the outcome has not been polled";
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.event(), "7 was cancelled after 0");
    EXPECT_FALSE(side.endpoint.cancel(*id));
    EXPECT_EQ(side.counters().cancelled, 1u);
    EXPECT_EQ(side.counters().data_sent, 0u);
}

TEST(GtudpSender, cancelled_in_flight) {
    Side side(steady_options());
    const auto id = side.send(bob, "x");
    side.transmitted();
    EXPECT_TRUE(side.endpoint.cancel(*id));
    EXPECT_EQ(side.event(), "7 was cancelled after 1");
    side.after(second);
    EXPECT_EQ(side.transmitted(), "");
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "") << "one outcome";
    EXPECT_EQ(side.transmitted(), "bob ACK 7") << "so that the peer stops";
}

TEST(GtudpSender, cancelled_while_queued_for_retransmission) {
    Side side(steady_options());
    const auto id = side.send(bob, "x"), other = side.send(bob, "y");
    side.transmitted();
    side.after(100 * millisecond);
    EXPECT_TRUE(side.endpoint.cancel(*id));
    EXPECT_EQ(side.transmitted(), "bob DATA 8 y");
    EXPECT_EQ(side.event(), "7 was cancelled after 1");
    EXPECT_TRUE(side.endpoint.cancel(*other));
}

TEST(GtudpSender, cancelling_a_send_that_is_not_in_flight_changes_nothing) {
    Side side(small_options());
    EXPECT_FALSE(side.endpoint.cancel({}));
    EXPECT_FALSE(side.endpoint.cancel({0, 0}));
    EXPECT_FALSE(side.endpoint.cancel({16, 7}));
    const auto gone = side.send(bob, "x");
    side.transmitted();
    side.receive_recv(bob, 7);
    EXPECT_FALSE(side.endpoint.cancel(*gone)) << "confirmed, but not polled yet";
    side.event();
    const auto next = side.send(bob, "y");
    ASSERT_EQ(next->index, gone->index);
    EXPECT_FALSE(side.endpoint.cancel(*gone)) << "its index belongs to another send now";
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
    EXPECT_TRUE(side.endpoint.cancel(*next));
}

// ---- deadlines ------------------------------------------------------------------------------------

TEST(GtudpSender, deadline_before_it_is_sent) {
    Side side(small_options());
    const Instant deadline = side.now + second;
    ASSERT_TRUE(side.send(bob, "x", deadline));
    EXPECT_EQ(side.endpoint.poll_timeout(), deadline);
    side.at(deadline - 1);
    EXPECT_EQ(side.event(), "");
    side.at(deadline);
    EXPECT_EQ(side.event(), "7 was late after 0");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().gave_up_deadline, 1u);
}

TEST(GtudpSender, deadline_in_flight) {
    Side side(steady_options());
    const Instant deadline = side.now + 150 * millisecond;
    ASSERT_TRUE(side.send(bob, "x", deadline));
    side.transmitted();
    EXPECT_EQ(side.after_timeout(), 100 * millisecond);
    EXPECT_EQ(side.transmitted(), "bob DATA 7 x");
    EXPECT_EQ(side.endpoint.poll_timeout(), deadline);
    side.at(deadline - 1);
    EXPECT_EQ(side.event(), "");
    side.at(deadline);
    EXPECT_EQ(side.event(), "7 was late after 2");
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
}

TEST(GtudpSender, deadline_while_queued_for_retransmission) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "x", side.now + 150 * millisecond));
    side.transmitted();
    side.after(100 * millisecond);
    side.after(50 * millisecond);  // without a poll_transmit in between
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.event(), "7 was late after 1");
}

TEST(GtudpSender, deadline_in_the_past) {
    for (const Duration ago : {Duration{0}, second, 200 * second}) {
        Side side(small_options());
        ASSERT_TRUE(side.send(bob, "x", side.now - ago));
        EXPECT_LE(side.endpoint.poll_timeout().value_or(never), side.now);
        side.at(side.now);
        EXPECT_EQ(side.event(), "7 was late after 0");
        EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
    }
}

TEST(GtudpSender, confirmed_before_its_deadline) {
    Side side(small_options());
    ASSERT_TRUE(side.send(bob, "x", side.now + second));
    side.transmitted();
    side.receive_recv(bob, 7);
    side.after(second);
    EXPECT_EQ(side.event(), "7 confirmed after 1");
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
}

}  // namespace
}  // namespace ringpost::gtudp
