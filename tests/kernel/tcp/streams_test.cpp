// The guarantees of codec/include/ringpost/stream.hpp for the bytes of a stream, and watched descriptors; on both
// backends, spinning and sleeping.

#include <fcntl.h>

#include <fstream>

#include "tests/kernel/tcp/stream_test.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(StreamsTest, Ways, WayNames);

TYPED_TEST(StreamsTest, a_plain_peer_gets_an_echo) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        auto node = this->open();
        node.talker.echoes = true;
        const Address local = node.listen(bind);
        PlainStream peer = PlainStream::connected(local);
        std::string sent, received;
        for (std::uint32_t i = 0; i < 50; ++i) {
            const std::string text = numbered(i, 1 + i * 97 % 3'000);
            sent += text;
            ASSERT_EQ(peer.send(text), static_cast<ssize_t>(text.size()));
            ASSERT_TRUE(node.run_until([&] { return peer.receive(received) != 0 && received.size() == sent.size(); }));
            ASSERT_EQ(received, sent);
        }
        ASSERT_EQ(node.talker.accepted.size(), 1u);
        EXPECT_EQ(node.talker.streams[0].peer, peer.local());
        peer.close();
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].end.has_value(); }));
        EXPECT_EQ(node.talker.streams[0].end, StreamEnd::finished);
        const EngineCounters counters = node.backend().counters();
        EXPECT_EQ(counters.streams_accepted, 1u);
        EXPECT_EQ(counters.streams_broken, 0u);
        EXPECT_EQ(counters.stream_bytes_received, sent.size());
        EXPECT_EQ(counters.stream_bytes_sent, sent.size());
    }
}

TYPED_TEST(StreamsTest, arbitrary_write_sizes_preserve_the_stream) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        auto node = this->open();
        const auto [a, b] = connect_to_itself(node, node.listen(bind));
        const std::string there = pattern(1, 300'000), back = pattern(2, 200'000);
        std::mt19937 random(3);
        node.talker.streams[a].outgoing = there;
        node.talker.streams[b].outgoing = back;
        ASSERT_TRUE(node.run_until([&] {
            node.talker.write_max = 1 + random() % (random() % 8 == 0 ? 40'000 : 300);
            return node.talker.streams[b].bytes == there.size() && node.talker.streams[a].bytes == back.size();
        }));
        EXPECT_EQ(node.talker.streams[b].received, there);
        EXPECT_EQ(node.talker.streams[a].received, back);
        node.talker.close(a);
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[b].end.has_value(); }));
        EXPECT_EQ(node.talker.streams[b].end, StreamEnd::finished);
        EXPECT_EQ(node.backend().counters().streams_connected, 1u);
        EXPECT_EQ(node.backend().counters().streams_broken, 0u);
    }
}

TYPED_TEST(StreamsTest, ten_megabytes_each_way_while_both_readers_pause_and_resume) {
    auto node = this->open();
    const auto [a, b] = connect_to_itself(node, node.listen(loopback_v4()));
    const std::string there = pattern(1, 10'000'000), back = pattern(2, 10'000'000);
    node.talker.streams[a].outgoing = there;
    node.talker.streams[b].outgoing = back;
    std::size_t turn = 0;
    ASSERT_TRUE(node.run_until([&] {
        ++turn;
        if (turn % 5 == 0) node.talker.set_paused(a, turn % 10 == 0);
        if (turn % 7 == 0) node.talker.set_paused(b, turn % 14 == 0);
        return node.talker.streams[b].bytes == there.size() && node.talker.streams[a].bytes == back.size();
    }));
    EXPECT_TRUE(node.talker.streams[b].received == there);
    EXPECT_TRUE(node.talker.streams[a].received == back);
}

TYPED_TEST(StreamsTest, partial_writes_through_tiny_buffers) {
    bool tiny = false;
    const bool made = in_network_namespace(65'536, [&] {
        for (const char* name : {"/proc/sys/net/ipv4/tcp_wmem", "/proc/sys/net/ipv4/tcp_rmem"})
            tiny = static_cast<bool>(std::ofstream(name) << "4096 4096 4096" << std::flush);
        if (!tiny) return;
        auto node = this->open();
        const auto [a, b] = connect_to_itself(node, node.listen(loopback_v4()));
        const std::string text = pattern(1, 600'000);
        node.talker.streams[a].outgoing = text;
        ASSERT_TRUE(node.run_until([&] { return node.talker.streams[b].bytes == text.size(); }));
        EXPECT_EQ(node.talker.streams[b].received, text);
        ASSERT_TRUE(node.run_until([&] { return !node.talker.streams[a].writing; }));
        EXPECT_EQ(node.talker.streams[a].writes, 3u) << "one `written` per write, however often it was partial";
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!tiny) GTEST_SKIP() << "no permission to set tcp_wmem in a network namespace";
}

TYPED_TEST(StreamsTest, a_paused_stream_throttles_its_peer) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    PlainStream peer = PlainStream::connected(local);
    ASSERT_TRUE(node.run_until([&] { return !node.talker.accepted.empty(); }));
    Talker::Stream& stream = node.talker.streams[0];
    node.talker.set_paused(0, true);
    node.settle();
    const std::string text = pattern(1, 1 << 20);
    std::size_t sent = 0;
    const auto send = [&] {
        const ssize_t taken = peer.send(text);
        if (taken > 0) sent += static_cast<std::size_t>(taken);
        return taken < 0;
    };
    ASSERT_TRUE(node.run_until(send)) << "the peer is never blocked";
    node.settle();
    EXPECT_EQ(stream.bytes, 0u);
    node.talker.set_paused(0, false);
    ASSERT_TRUE(node.run_until([&] { return stream.bytes == sent; }));
    // Pause and resume in one turn, and again while the first is in progress.
    for (int i = 0; i < 20; ++i) {
        node.talker.set_paused(0, true);
        node.talker.set_paused(0, false);
        if (i % 2 == 0) node.settle();
        sent += static_cast<std::size_t>(peer.send("more"));
    }
    ASSERT_TRUE(node.run_until([&] { return stream.bytes == sent; }));
}

TYPED_TEST(StreamsTest, hundreds_of_concurrent_streams_all_progress) {
    auto node = this->open();
    node.talker.echoes = true;
    const Address local = node.listen(loopback_v4());
    std::vector<PlainStream> peers;
    std::vector<std::string> sent, received(300);
    for (std::uint32_t i = 0; i < 300; ++i) {
        peers.push_back(PlainStream::connected(local));
        // Several times the total of the receive buffers, spread over all peers.
        sent.push_back(pattern(i, i % 10 == 0 ? 200'000 : 300));
        ASSERT_EQ(peers.back().send(sent.back()), static_cast<ssize_t>(sent.back().size()));
    }
    ASSERT_TRUE(node.run_until([&] {
        for (std::size_t i = 0; i < peers.size(); ++i) peers[i].receive(received[i]);
        return received == sent;
    }));
    const Address first = peers[0].local();
    EXPECT_TRUE(std::ranges::any_of(node.talker.streams, [&](const auto& each) { return each.second.peer == first; }));
}

// ---- watched descriptors ----------------------------------------------------------------------------

TYPED_TEST(StreamsTest, a_watched_pipe_wakes_the_loop_until_it_is_read) {
    auto node = this->open();
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(node.backend().watch(pipe_ends[0]), Watched::watched);
    std::string received;
    const auto read_dry = [&] {
        char buffer[16];
        for (ssize_t got = 0; (got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
            received.append(buffer, static_cast<std::size_t>(got));
    };
    for (int round = 0; round < 3; ++round) {
        received.clear();
        std::thread writer([&] { EXPECT_EQ(::write(pipe_ends[1], "input", 5), 5); });
        const std::size_t before = node.turns;
        ASSERT_TRUE(node.run_until([&] { return read_dry(), received == "input"; }, patience));
        writer.join();
        if (TypeParam::mode == WaitMode::block) {
            EXPECT_LE(node.turns - before, 4u) << "spurious wake-ups";
        }
    }
    // Unread data wakes the loop again.
    EXPECT_EQ(::write(pipe_ends[1], "input", 5), 5);
    int turns = 0;
    ASSERT_TRUE(node.run_until([&] { return ++turns == 5; }, patience));
    node.backend().unwatch(pipe_ends[0]);
    turns = 0;
    ASSERT_TRUE(node.run_until([&] { return ++turns == 5; }));
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
}

TYPED_TEST(StreamsTest, always_readable_descriptors_are_not_watched) {
    auto node = this->open();
    for (const char* name : {"/proc/self/exe", "/dev/null"}) {
        const int fd = ::open(name, O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(node.backend().watch(fd), Watched::always_readable) << name;
        node.backend().unwatch(fd);
        ::close(fd);
    }
    const auto closed = node.backend().watch(12'345);
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().text, "watch descriptor 12345: Bad file descriptor");
}

}  // namespace
}  // namespace ringpost::test
