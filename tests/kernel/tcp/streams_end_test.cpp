// How streams begin and end, on either backend, spinning and sleeping.

#include <sys/resource.h>

#include "tests/kernel/tcp/stream_test.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(StreamsTest, Ways, WayNames);

/// An address at which nobody listens.
Address closed_port() { return StreamListener::open(loopback_v4()).value().local(); }

TYPED_TEST(StreamsTest, what_cannot_be_connected_is_closed_with_the_reason) {
    auto node = this->open();
    const StreamIndex refused = node.talker.connect(closed_port());
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[refused].end.has_value(); }));
    EXPECT_EQ(node.talker.streams[refused].end, StreamEnd::refused);
    const StreamIndex multicast = node.talker.connect(Address::v4(239, 1, 2, 3, 4));
    EXPECT_EQ(multicast, refused) << "the name is free again";
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[multicast].end.has_value(); }));
    EXPECT_EQ(node.talker.streams[multicast].end, StreamEnd::unreachable);
    EXPECT_EQ(node.backend().counters().connect_failed, 2u);
    EXPECT_EQ(node.backend().counters().streams_broken, 0u);
}

TYPED_TEST(StreamsTest, a_connection_being_made_can_be_given_up) {
    const bool made = in_own_network(65'536, [&] {
        auto node = this->open();
        // Nobody answers for this neighbour, so that it takes as long as the test likes.
        if (std::system("ip route add 192.0.2.0/24 dev lo && ip addr add 192.0.2.1/32 dev lo && "
                        "ip route add blackhole 198.51.100.0/24") != 0)
            return;
        const Address full = node.listen(loopback_v4());
        for (int i = 0; i < 20; ++i) {
            const StreamIndex name = node.talker.connect(i % 2 == 0 ? full : Address::v4(192, 0, 2, 9, 9));
            EXPECT_LE(name, 1u);
            if (i % 4 > 1) node.settle();
            node.talker.close(name);
            node.settle();
        }
    });
    if (!made) GTEST_SKIP() << no_namespace;
}

TYPED_TEST(StreamsTest, a_peer_that_resets_while_we_write) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    for (int round = 0; round < 6; ++round) {
        SCOPED_TRACE(round);
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
        Talker::Stream& stream = node.talker.streams[0];
        stream.outgoing = std::string(16u << 20, 'x');
        const bool paused = round % 2 == 1;
        if (paused) node.talker.pause(0, true);
        node.settle();
        peer.send("last words");
        node.settle();
        EXPECT_TRUE(stream.writing) << "more than the buffers hold";
        peer.reset();
        // A paused one is not looked at, but the write under way meets the end.
        ASSERT_TRUE(node.run_until([&] { return stream.end.has_value(); }));
        EXPECT_EQ(stream.end, StreamEnd::reset);
        EXPECT_EQ(stream.received, paused ? "" : "last words");
    }
    EXPECT_EQ(node.backend().counters().streams_broken, 6u);
    EXPECT_FALSE(node.backend().sending());
}

TYPED_TEST(StreamsTest, what_the_peer_said_before_it_broke_off_is_heard) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    for (int round = 0; round < 4; ++round) {
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
        Talker::Stream& stream = node.talker.streams[0];
        node.talker.pause(0, true);
        node.settle();
        const std::string text = pattern(1, 100'000);
        ASSERT_EQ(peer.send(text), static_cast<ssize_t>(text.size()));
        if (round % 2 == 0)
            peer.reset();
        else
            peer.close();
        node.settle();
        EXPECT_FALSE(stream.end) << "while it is paused";
        // The write comes first upon a connection that is no more.
        node.talker.pause(0, false);
        if (round > 1) stream.outgoing = "anybody?";
        ASSERT_TRUE(node.run_until([&] { return stream.end.has_value(); }));
        EXPECT_EQ(stream.received, text);
        EXPECT_EQ(stream.end, round % 2 == 0 ? StreamEnd::reset : StreamEnd::finished);
    }
}

TYPED_TEST(StreamsTest, what_was_written_before_close_reaches_the_peer) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    for (int round = 0; round < 8; ++round) {
        SCOPED_TRACE(round);
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
        Talker::Stream& stream = node.talker.streams[0];
        if (round % 2 == 1) {
            // Not read by us: a plain close() would answer it with a reset.
            node.talker.pause(0, true);
            node.settle();
            peer.send(std::string(50'000, 'x'));
        }
        const std::string text = pattern(1, 100'000);
        stream.outgoing = text;
        ASSERT_TRUE(node.run_until([&] { return stream.writes == 1; }));
        node.talker.close(0);
        std::string heard;
        ASSERT_TRUE(node.run_until([&] { return peer.receive(heard) == 0; }));
        EXPECT_EQ(heard, text);
    }
}

TYPED_TEST(StreamsTest, closing_with_a_write_under_way_ends_it) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    const std::string text = pattern(1, 16u << 20);
    for (int round = 0; round < 4; ++round) {
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
        node.talker.streams[0].outgoing = text;
        node.settle();
        EXPECT_TRUE(node.talker.streams[0].writing);
        node.talker.close(0);
        node.settle();
        EXPECT_FALSE(node.backend().sending());
        std::string heard;
        ASSERT_TRUE(node.run_until([&] { return peer.receive(heard) == 0; }));
        EXPECT_EQ(heard, text.substr(0, heard.size()));
    }
}

TYPED_TEST(StreamsTest, the_loop_waits_for_a_write_under_way_before_it_returns) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    PlainStream peer = PlainStream::connected(local);
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
    const std::string text = pattern(1, limits::stream_write_bytes_max);
    std::size_t sent = 0;
    // Until one is under way: the buffers are full.
    for (; !node.backend().sending(); sent += text.size()) {
        node.talker.streams[0].outgoing = text;
        node.run_until([] { return true; });
    }
    std::string heard;
    std::thread reader([&] {
        for (const Instant give_up = now() + patience; heard.size() < sent && now() < give_up;) peer.receive(heard);
    });
    node.run();
    EXPECT_FALSE(node.backend().sending());
    reader.join();
    EXPECT_EQ(heard.size(), sent);
}

TYPED_TEST(StreamsTest, a_name_is_free_as_soon_as_close_was_asked) {
    auto node = this->open();
    const StreamListener far = StreamListener::open(loopback_v4()).value();
    for (std::uint32_t i = 0; i < 60; ++i) {
        const StreamIndex name = node.talker.connect(far.local());
        ASSERT_EQ(name, 0u);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[name].stands; }));
        PlainStream peer(far.accept());
        peer.send("of number " + std::to_string(i));
        node.talker.streams[name].outgoing = "hello " + std::to_string(i);
        if (i % 3 != 0) node.settle();
        if (i % 3 == 1) {
            EXPECT_EQ(node.talker.streams[name].received, "of number " + std::to_string(i));
        }
        // What the old one still has coming must not pass for the next one's, which is asked for in the same turn.
        peer.send("too late");
        if (i % 4 == 3) peer.reset();
        if (!node.talker.streams[name].end) node.talker.close(name);
    }
}

TYPED_TEST(StreamsTest, whom_the_endpoint_refuses_is_closed_and_counted) {
    auto node = this->open();
    node.talker.accepts_max = 2;
    const Address local = node.listen(loopback_v4());
    std::vector<PlainStream> peers;
    for (int i = 0; i < 5; ++i) peers.push_back(PlainStream::connected(local));
    ASSERT_TRUE(node.run_until([&] { return node.talker.refused == 3; }));
    std::string heard;
    for (std::size_t i = 2; i < 5; ++i) ASSERT_TRUE(node.run_until([&] { return peers[i].receive(heard) == 0; }));
    EXPECT_EQ(node.backend().counters().streams_refused, 3u);
    EXPECT_EQ(node.backend().counters().streams_accepted, 2u);
    EXPECT_EQ(node.backend().counters().accept_failed, 0u);
    node.talker.close(0);
    peers.push_back(PlainStream::connected(local));
    ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() == 3; }));
}

TYPED_TEST(StreamsTest, without_descriptors_a_listener_rests_and_then_goes_on) {
    auto node = this->open();
    // A ring keeps to the limit of when it was asked to accept, which is the first turn.
    const Address local = node.listen(loopback_v4());
    std::vector<PlainStream> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(PlainStream::connected(local));
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{static_cast<rlim_t>(dup(0)), before.rlim_max};
    ::close(static_cast<int>(none.rlim_cur));
    setrlimit(RLIMIT_NOFILE, &none);
    const Instant from = now();
    const std::size_t turns_before = node.turns;
    const bool failed = node.run_until([&] { return node.backend().counters().accept_failed >= 3; }, second);
    const std::uint64_t failures = node.backend().counters().accept_failed;
    const Duration took = now() - from;
    setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_TRUE(failed);
    EXPECT_LE(failures, 2 + static_cast<std::uint64_t>(took / accept_pause)) << "it does not rest";
    if (TypeParam::mode == WaitMode::block) {
        EXPECT_LE(node.turns - turns_before, 8 * failures) << "the loop spins";
    }
    ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() == 3; }, second));
    peers[0].send("at last");
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].received == "at last"; }, second));
}

TYPED_TEST(StreamsTest, a_port_is_free_at_once_when_the_backend_is_closed) {
    Address local = loopback_v4();
    for (int round = 0; round < 5; ++round) {
        auto node = this->open();
        local = node.listen(local);
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].stands; }));
        const auto taken = StreamListener::open(local);
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().text, "bind " + to_text(local) + ": Address already in use");
    }
}

}  // namespace
}  // namespace ringpost::test
