// How streams start and end, on both backends, spinning and sleeping.

#include <sys/resource.h>

#include "tests/kernel/tcp/stream_test.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(StreamsTest, Ways, WayNames);

/// An address without a listener.
Address closed_stream_port() { return StreamListener::open(loopback_v4()).value().local(); }

TYPED_TEST(StreamsTest, a_failed_connect_closes_with_the_reason) {
    auto node = this->open();
    const StreamIndex refused = node.talker.connect(closed_stream_port());
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[refused].end.has_value(); }));
    EXPECT_EQ(node.talker.streams[refused].end, StreamEnd::refused);
    const StreamIndex multicast = node.talker.connect(Address::v4(239, 1, 2, 3, 4));
    EXPECT_EQ(multicast, refused) << "the index is free again";
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[multicast].end.has_value(); }));
    EXPECT_EQ(node.talker.streams[multicast].end, StreamEnd::unreachable);
    EXPECT_EQ(node.backend().counters().connect_failed, 2u);
    EXPECT_EQ(node.backend().counters().streams_broken, 0u);
}

TYPED_TEST(StreamsTest, a_pending_connect_can_be_closed) {
    const bool made = in_network_namespace(65'536, [&] {
        auto node = this->open();
        // A neighbour that does not exist, so that the connect stays pending.
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
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
        Talker::Stream& stream = node.talker.streams[0];
        stream.outgoing = std::string(16u << 20, 'x');
        const bool paused = round % 2 == 1;
        if (paused) node.talker.set_paused(0, true);
        node.settle();
        peer.send("last words");
        node.settle();
        EXPECT_TRUE(stream.writing) << "larger than the socket buffers";
        peer.reset();
        // A paused stream has no receive, but the write in progress detects the reset.
        ASSERT_TRUE(node.run_until([&] { return stream.end.has_value(); }));
        EXPECT_EQ(stream.end, StreamEnd::reset);
        EXPECT_EQ(stream.received, paused ? "" : "last words");
    }
    EXPECT_EQ(node.backend().counters().streams_broken, 6u);
    EXPECT_FALSE(node.backend().sending());
}

TYPED_TEST(StreamsTest, bytes_sent_before_a_reset_are_received) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    for (int round = 0; round < 4; ++round) {
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
        Talker::Stream& stream = node.talker.streams[0];
        node.talker.set_paused(0, true);
        node.settle();
        const std::string text = pattern(1, 100'000);
        ASSERT_EQ(peer.send(text), static_cast<ssize_t>(text.size()));
        if (round % 2 == 0)
            peer.reset();
        else
            peer.close();
        node.settle();
        EXPECT_FALSE(stream.end) << "while it is paused";
        // In some rounds a write detects the end before the receive.
        node.talker.set_paused(0, false);
        if (round > 1) stream.outgoing = "anybody?";
        ASSERT_TRUE(node.run_until([&] { return stream.end.has_value(); }));
        EXPECT_EQ(stream.received, text);
        EXPECT_EQ(stream.end, round % 2 == 0 ? StreamEnd::reset : StreamEnd::finished);
    }
}

TYPED_TEST(StreamsTest, bytes_written_before_close_reach_the_peer) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    for (int round = 0; round < 8; ++round) {
        SCOPED_TRACE(round);
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
        Talker::Stream& stream = node.talker.streams[0];
        if (round % 2 == 1) {
            // Unread bytes: a plain close() would send a reset.
            node.talker.set_paused(0, true);
            node.settle();
            peer.send(std::string(50'000, 'x'));
        }
        const std::string text = pattern(1, 100'000);
        stream.outgoing = text;
        ASSERT_TRUE(node.run_until([&] { return stream.writes == 1; }));
        node.talker.close(0);
        std::string received;
        ASSERT_TRUE(node.run_until([&] { return peer.receive(received) == 0; }));
        EXPECT_EQ(received, text);
    }
}

TYPED_TEST(StreamsTest, close_ends_a_write_in_progress) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    const std::string text = pattern(1, 16u << 20);
    for (int round = 0; round < 4; ++round) {
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
        node.talker.streams[0].outgoing = text;
        node.settle();
        EXPECT_TRUE(node.talker.streams[0].writing);
        node.talker.close(0);
        node.settle();
        EXPECT_FALSE(node.backend().sending());
        std::string received;
        ASSERT_TRUE(node.run_until([&] { return peer.receive(received) == 0; }));
        EXPECT_EQ(received, text.substr(0, received.size()));
    }
}

TYPED_TEST(StreamsTest, the_loop_flushes_a_write_in_progress_before_it_returns) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    PlainStream peer = PlainStream::connected(local);
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
    const std::string text = pattern(1, limits::stream_write_bytes_max);
    std::size_t sent = 0;
    // Write until a write stays in progress because the socket buffers are full.
    for (; !node.backend().sending(); sent += text.size()) {
        node.talker.streams[0].outgoing = text;
        node.run_until([] { return true; });
    }
    std::string received;
    std::thread reader([&] {
        for (const Instant give_up = now() + patience; received.size() < sent && now() < give_up;)
            peer.receive(received);
    });
    node.run();
    EXPECT_FALSE(node.backend().sending());
    reader.join();
    EXPECT_EQ(received.size(), sent);
}

TYPED_TEST(StreamsTest, an_index_is_free_as_soon_as_close_is_requested) {
    auto node = this->open();
    const StreamListener far = StreamListener::open(loopback_v4()).value();
    for (std::uint32_t i = 0; i < 60; ++i) {
        const StreamIndex name = node.talker.connect(far.local());
        ASSERT_EQ(name, 0u);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[name].established; }));
        PlainStream peer(far.accept());
        peer.send("of number " + std::to_string(i));
        node.talker.streams[name].outgoing = "hello " + std::to_string(i);
        if (i % 3 != 0) node.settle();
        if (i % 3 == 1) {
            EXPECT_EQ(node.talker.streams[name].received, "of number " + std::to_string(i));
        }
        // Late events of the old stream must not reach the next stream, which is requested in the same turn.
        peer.send("too late");
        if (i % 4 == 3) peer.reset();
        if (!node.talker.streams[name].end) node.talker.close(name);
    }
}

TYPED_TEST(StreamsTest, a_refused_connection_is_closed_and_counted) {
    auto node = this->open();
    node.talker.accepts_max = 2;
    const Address local = node.listen(loopback_v4());
    std::vector<PlainStream> peers;
    for (int i = 0; i < 5; ++i) peers.push_back(PlainStream::connected(local));
    ASSERT_TRUE(node.run_until([&] { return node.talker.refused == 3; }));
    std::string received;
    for (std::size_t i = 2; i < 5; ++i) ASSERT_TRUE(node.run_until([&] { return peers[i].receive(received) == 0; }));
    EXPECT_EQ(node.backend().counters().streams_refused, 3u);
    EXPECT_EQ(node.backend().counters().streams_accepted, 2u);
    EXPECT_EQ(node.backend().counters().accept_failed, 0u);
    node.talker.close(0);
    peers.push_back(PlainStream::connected(local));
    ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() == 3; }));
}

TYPED_TEST(StreamsTest, a_listener_without_descriptors_pauses_and_resumes) {
    auto node = this->open();
    // io_uring applies the limit at the time of the accept request, which is made in the first turn.
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
    EXPECT_LE(failures, 2 + static_cast<std::uint64_t>(took / accept_pause)) << "the listener does not pause";
    if (TypeParam::mode == WaitMode::block) {
        EXPECT_LE(node.turns - turns_before, 8 * failures) << "the loop spins";
    }
    ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() == 3; }, second));
    peers[0].send("at last");
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].received == "at last"; }, second));
}

TYPED_TEST(StreamsTest, a_port_is_free_as_soon_as_the_backend_is_closed) {
    Address local = loopback_v4();
    for (int round = 0; round < 5; ++round) {
        auto node = this->open();
        local = node.listen(local);
        PlainStream peer = PlainStream::connected(local);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].established; }));
        if (round > 0) continue;  // a port in use is waited for
        const auto taken = StreamListener::open(local);
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().text, "bind " + to_text(local) + ": Address already in use");
    }
}

}  // namespace
}  // namespace ringpost::test
