// Behaviour that involves both halves of an endpoint: order of transmission, events, foreign datagrams, timeouts, wire.

#include "codec/gtudp/endpoint.hpp"

#include <gtest/gtest.h>

#include "tests/unit/codec/gtudp/helpers.hpp"

namespace ringpost::gtudp {
namespace {

TEST(GtudpEndpoint, datagrams_that_a_peer_waits_for_are_sent_first) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "again"));
    EXPECT_EQ(side.transmitted(), "bob DATA 7 again");
    side.after(100 * millisecond);
    ASSERT_TRUE(side.send(carol, "fresh"));
    ASSERT_TRUE(side.endpoint.send_raw(dave, bytes_of("bytes")));
    side.receive_data(carol, 1, "x");
    side.receive_recv(carol, 2);
    EXPECT_EQ(side.transmitted(), "carol RECV 1; bob DATA 7 again; dave raw bytes; carol DATA 8 fresh; carol ACK 2");
}

TEST(GtudpEndpoint, a_full_train_of_acks_is_sent_first) {
    for (const Identity acks : {127u, 128u, 129u}) {
        Side side(steady_options());
        Outbox outbox;
        ASSERT_TRUE(side.send(bob, "x"));
        side.receive_data(carol, 1, "x");
        for (Identity identity = 0; identity < acks; ++identity) side.receive_recv(dave, identity);
        std::vector<Address> order;
        for (const Sent& sent : outbox.drain(side.endpoint, side.now)) order.push_back(sent.transmit.destination);
        if (acks == 127)
            EXPECT_EQ(order, (std::vector<Address>{carol, bob, dave}));
        else if (acks == 128)
            EXPECT_EQ(order, (std::vector<Address>{dave, carol, bob}));
        else
            EXPECT_EQ(order, (std::vector<Address>{dave, carol, bob, dave}));
        EXPECT_EQ(side.counters().ack_sent, acks);
    }
}

TEST(GtudpEndpoint, each_call_of_poll_transmit_starts_with_recvs) {
    Side side(steady_options());
    Outbox outbox;
    ASSERT_TRUE(side.send(bob, "x"));
    ASSERT_TRUE(side.send(carol, "x"));
    EXPECT_EQ(outbox.poll(side.endpoint, side.now)->transmit.destination, bob);
    side.receive_data(dave, 1, "y");
    EXPECT_EQ(side.transmitted(), "dave RECV 1; carol DATA 8 x");
}

TEST(GtudpEndpoint, a_peer_may_use_our_identities) {
    Side side(steady_options());
    const auto id = side.send(bob, "ours");
    side.receive_data(bob, id->identity, "theirs");
    EXPECT_EQ(side.transmitted(), "bob RECV " + std::to_string(id->identity) + "; bob DATA 7 ours");
    side.receive_ack(bob, id->identity);
    EXPECT_EQ(side.endpoint.in_flight(), 1u);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "message from bob: theirs; 7 confirmed after 1");
    EXPECT_EQ(side.transmitted(), "bob ACK 7");
    EXPECT_EQ(side.counters().ack_unknown + side.counters().recv_unknown, 0u);
}

TEST(GtudpEndpoint, messages_and_outcomes_can_be_polled_apart) {
    Side side(steady_options());
    ASSERT_TRUE(side.send(bob, "ours"));
    side.transmitted();
    side.receive_data(bob, 1, "one");
    side.receive_recv(bob, 7);
    side.receive_data(bob, 2, "two");
    EXPECT_EQ(side.endpoint.poll_message()->bytes.size(), 3u);
    EXPECT_EQ(side.endpoint.poll_outcome()->outcome, Outcome::confirmed);
    EXPECT_FALSE(side.endpoint.poll_outcome());
    EXPECT_EQ(side.event(), "message from bob: two");
    EXPECT_FALSE(side.endpoint.poll_message());
}

TEST(GtudpEndpoint, two_endpoints_confirm_each_other) {
    Side left(small_options()), right(small_options());
    Outbox outbox;
    const auto carry = [&](Side& from, const Address& source, Side& to) {
        bool any = false;
        for (const Sent& sent : outbox.drain(from.endpoint, from.now))
            for (const Bytes& datagram : sent.datagrams()) to.receive(source, datagram), any = true;
        return any;
    };
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(left.send(bob, "from left"));
        ASSERT_TRUE(right.send(alice, "from right"));
    }
    for (bool any = true; any;) {
        any = carry(left, alice, right);
        any |= carry(right, bob, left);
    }
    for (const Side* side : {&left, &right}) {
        const Counters counts = side->counters();
        EXPECT_EQ(counts.confirmed, 10u);
        EXPECT_EQ(counts.delivered, 10u);
        EXPECT_EQ(counts.data_sent, 10u);
        EXPECT_EQ(counts.recv_sent, 10u);
        EXPECT_EQ(counts.ack_received, 10u);
        EXPECT_EQ(counts.duplicates + counts.ack_unknown + counts.recv_unknown, 0u);
    }
}

// ---- foreign datagrams ----------------------------------------------------------------------------

TEST(GtudpEndpoint, foreign_datagrams_are_only_counted_by_default) {
    Side side(small_options());
    side.receive(bob, bytes_of("not gtUDP"));
    side.receive(bob, {});
    EXPECT_EQ(side.event(), "");
    EXPECT_EQ(side.transmitted(), "");
    EXPECT_EQ(side.counters().foreign, 2u);
    EXPECT_EQ(side.counters().foreign_dropped, 0u);
    EXPECT_EQ(side.counters().data_received, 0u);
}

TEST(GtudpEndpoint, foreign_datagrams_are_delivered_if_configured) {
    Options options = small_options();
    options.recv_from_any = true;
    Side side(options);
    side.receive(bob, bytes_of("not gtUDP"));
    side.receive(carol, {});
    side.receive_data(bob, 1, "gtUDP");
    EXPECT_EQ(side.event(), "foreign from bob: not gtUDP; foreign from carol: ; message from bob: gtUDP");
    EXPECT_EQ(side.transmitted(), "bob RECV 1");
    EXPECT_EQ(side.counters().foreign, 2u);
}

TEST(GtudpEndpoint, foreign_datagrams_without_space_are_dropped) {
    Options options = small_options();
    options.recv_from_any = true;
    options.event_bytes = 128;
    Side side(options);
    const std::string text(80, 'x');
    side.receive(bob, bytes_of(text));
    side.receive(bob, bytes_of(text));
    EXPECT_EQ(side.event(), "foreign from bob: " + text);
    EXPECT_EQ(side.counters().foreign, 2u);
    EXPECT_EQ(side.counters().foreign_dropped, 1u);
}

TEST(GtudpEndpoint, raw_datagrams_are_sent_once_and_unmodified) {
    Side side(steady_options());
    EXPECT_TRUE(side.endpoint.send_raw(bob, bytes_of("one")));
    EXPECT_TRUE(side.endpoint.send_raw(bob, {}));
    EXPECT_TRUE(side.endpoint.send_raw(carol, bytes_of("two")));
    EXPECT_EQ(side.transmitted(), "bob raw one; bob raw ; carol raw two");
    EXPECT_EQ(side.counters().raw_sent, 3u);
    EXPECT_EQ(side.counters().taken, 0u);
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
    side.endpoint.close();
    EXPECT_TRUE(side.endpoint.send_raw(bob, bytes_of("closed or not")));
    EXPECT_EQ(side.transmitted(), "bob raw closed or not");
}

TEST(GtudpEndpoint, raw_datagrams_have_limits) {
    Side side(small_options());
    const Bytes most(limits::datagram_bytes_max), more(limits::datagram_bytes_max + 1);
    EXPECT_FALSE(side.endpoint.send_raw(bob, more));
    std::size_t taken = 0;
    while (taken < 100 && side.endpoint.send_raw(bob, most)) ++taken;
    EXPECT_GE(taken, 10u);
    EXPECT_LT(taken, 100u);
    Outbox outbox;
    const auto sent = outbox.drain(side.endpoint, side.now);
    EXPECT_EQ(sent.size(), taken);
    EXPECT_EQ(sent.front().bytes, most);
    EXPECT_TRUE(side.endpoint.send_raw(bob, most));
    EXPECT_EQ(side.counters().raw_sent, taken);
}

// ---- events ---------------------------------------------------------------------------------------

TEST(GtudpEndpoint, messages_come_in_order_and_before_outcomes) {
    Side side(small_options());
    const auto id = side.send(bob, "x");
    ASSERT_TRUE(side.endpoint.cancel(*id));
    side.receive_data(bob, 2, "one");
    side.receive_data(carol, 1, "two");
    EXPECT_EQ(side.event(), "message from bob: one; message from carol: two; 7 was cancelled after 0");
    side.receive_data(bob, 3, "three");
    EXPECT_EQ(side.event(), "message from bob: three");
}

TEST(GtudpEndpoint, outcomes_come_in_the_order_of_their_end) {
    Side side(steady_options());
    std::vector<ExchangeId> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(*side.send(bob, "x"));
    side.transmitted();
    side.receive_recv(bob, 9);
    EXPECT_TRUE(side.endpoint.cancel(ids[0]));
    side.receive_recv(bob, 8);
    EXPECT_EQ(side.event(), "9 confirmed after 1; 7 was cancelled after 1; 8 confirmed after 1");
}

TEST(GtudpEndpoint, the_longest_message_is_delivered_whole) {
    Options options = small_options();
    options.event_bytes = 1u << 17;
    Side side(options);
    std::string text(Codec().data_bytes_max(), 'x');
    text.front() = text.back() = 'y';
    side.receive_data(bob, 1, text);
    EXPECT_EQ(side.event(), "message from bob: " + text);
}

// ---- timers ---------------------------------------------------------------------------------------

TEST(GtudpEndpoint, the_timeout_is_the_earlier_of_both_halves) {
    Options options = steady_options();
    options.remembered = 50 * millisecond;
    Side side(options);
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
    const Instant from = side.now;
    ASSERT_TRUE(side.send(bob, "x"));
    side.transmitted();
    EXPECT_EQ(side.endpoint.poll_timeout(), from + 100 * millisecond);
    side.at(from + 10 * millisecond);
    side.receive_data(carol, 1, "x");
    side.transmitted();
    side.receive_ack(carol, 1);
    EXPECT_EQ(side.endpoint.poll_timeout(), from + 60 * millisecond);
    side.at(from + 60 * millisecond);
    EXPECT_EQ(side.endpoint.poll_timeout(), from + 100 * millisecond);
    side.receive_recv(bob, 7);
    side.after(second);
    EXPECT_EQ(side.endpoint.poll_timeout(), std::nullopt);
}

// The time jumps from one timeout to the next. After a bounded number nothing must be left to do.
TEST(GtudpEndpoint, becomes_idle_with_one_outcome_for_each_send) {
    Options options = small_options();
    options.peers_max = 8;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        options.seed = seed;
        Side side(options);
        Random random(seed);
        std::vector<ExchangeId> ids;
        for (std::uint16_t i = 0; i < 12; ++i) {
            const Instant deadline = i % 3 == 0 ? side.now + static_cast<Duration>(random() % (30 * second)) : never;
            ids.push_back(*side.send(Address::v4(10, 0, 0, 1, i % 4), "x", deadline));
            side.receive_data(Address::v4(10, 0, 0, 1, i % 4), i, "some text");
        }
        int events = 0, turns = 0;
        for (; side.endpoint.poll_timeout() || events == 0; ++turns) {
            ASSERT_LT(turns, 500) << "livelock";
            side.transmitted();
            if (turns % 8 == 3) side.endpoint.cancel(ids[random() % ids.size()]);
            while (const auto event = side.endpoint.poll_event()) events += event->kind == Event::Kind::outcome;
            if (side.endpoint.poll_timeout()) side.after_timeout();
        }
        while (const auto event = side.endpoint.poll_event()) events += event->kind == Event::Kind::outcome;
        EXPECT_EQ(events, 12);
        EXPECT_EQ(side.endpoint.in_flight(), 0u);
        EXPECT_EQ(side.transmitted(), "");
    }
}

// ---- options --------------------------------------------------------------------------------------

TEST(GtudpEndpoint, uses_the_configured_wire) {
    const auto codec = Codec::make({bytes_of("GT"), {bytes_of("D"), bytes_of("R"), bytes_of("A")}});
    ASSERT_TRUE(codec);
    Options options = small_options();
    options.codec = *codec;
    Side side(options);
    Outbox outbox;
    ASSERT_TRUE(side.send(bob, "hello"));
    Bytes expected = bytes_of("GTD----hello");
    store_be(&expected[3], side.identity_of(bob, 7));
    EXPECT_EQ(outbox.poll(side.endpoint, side.now)->bytes, expected);
    side.receive(bob, bytes_from_hex("5f00000007"));
    EXPECT_EQ(side.counters().foreign, 1u);
    side.receive_recv(bob, 7);
    EXPECT_EQ(side.event(), "7 confirmed after 1");
    EXPECT_EQ(side.send(bob, std::string(limits::datagram_bytes_max - 6, 'x')), std::unexpected(Refusal::too_large));
}

TEST(GtudpEndpointDeathTest, options_are_checked) {
    const auto with = [](auto&& change) {
        Options options = small_options();
        change(options);
        Endpoint endpoint(options);
    };
    EXPECT_DEATH(with([](Options& o) { o.sends_max = 12; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.receives_max = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.peers_max = 3; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.data_sends_max = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.data_sends_max = 256; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.recv_sends_max = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.recv_sends_max = 256; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.timeout_min = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.timeout_max = millisecond; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.timeout_initial = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.fixed_interval = 0; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.patience = -1; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.resending.patience = ResendOptions::patience_max + 1; }), "check failed");
    EXPECT_DEATH(with([](Options& o) { o.remembered = 0; }), "check failed");
}

// Frames of every kind, known and unknown, some not gtUDP, and a shorter one at the end of a train.
TEST(GtudpEndpoint, a_train_is_handled_like_its_datagrams) {
    Options options = steady_options();
    options.sends_max = options.receives_max = 64;
    options.recv_from_any = true;
    Side by_train(options), one_by_one(options);
    Random random(5);
    for (int round = 0; round < 500; ++round) {
        Bytes train;
        const std::size_t segment_bytes = random() % 2 == 0 ? 5 : 12, count = 1 + random() % 20;
        for (std::size_t i = 0; i < count; ++i) {
            const auto kind = static_cast<Kind>(segment_bytes == 5 ? random() % 3 : 0);
            const auto taken = static_cast<Identity>(by_train.counters().taken);
            const Identity ours = by_train.identity_of(bob, 6 + taken - static_cast<Identity>(random() % 64));
            const auto theirs = static_cast<Identity>(round + static_cast<int>(random() % 40));
            Bytes bytes = frame(kind, kind == Kind::recv ? ours : theirs, std::string(segment_bytes - 5, 'x'));
            if (random() % 16 == 0) bytes[0] = std::byte{0xff};
            train.insert(train.end(), bytes.begin(), bytes.end());
        }
        if (random() % 4 == 0) train.resize(train.size() - random() % segment_bytes);
        const Datagram whole{bob, 0, train};
        by_train.endpoint.handle_train(by_train.now, whole, segment_bytes);
        for_each_segment(whole, segment_bytes,
                         [&](const Datagram& in) { one_by_one.endpoint.handle(one_by_one.now, in); });
        for (Side* side : {&by_train, &one_by_one})
            for (int i = 0; i < 3; ++i) (void)side->send(bob, "x");
        ASSERT_EQ(by_train.event(), one_by_one.event()) << "round " << round;
        ASSERT_EQ(by_train.transmitted(), one_by_one.transmitted()) << "round " << round;
        for (Side* side : {&by_train, &one_by_one}) side->after(30 * millisecond);
    }
    for (const auto& [name, member] : Counters::table())
        EXPECT_EQ(by_train.counters().*member, one_by_one.counters().*member) << name;
    EXPECT_GT(by_train.counters().confirmed, 100u);
    EXPECT_GT(by_train.counters().duplicates, 100u);
    EXPECT_GT(by_train.counters().ack_received - by_train.counters().ack_unknown, 10u);
}

}  // namespace
}  // namespace ringpost::gtudp
