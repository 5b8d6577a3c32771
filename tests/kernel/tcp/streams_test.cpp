// What codec/include/ringpost/stream.hpp promises of every stream, on either backend, spinning and sleeping: its bytes.
// And what the backends promise of watched descriptors.

#include <fcntl.h>

#include <fstream>

#include "tests/kernel/tcp/stream_test.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(StreamsTest, Ways, WayNames);

TYPED_TEST(StreamsTest, an_echo_both_ways_from_a_plain_peer) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        auto node = this->open();
        node.talker.echoes = true;
        const Address local = node.listen(bind);
        PlainStream peer = PlainStream::connected(local);
        std::string sent, heard;
        for (std::uint32_t i = 0; i < 50; ++i) {
            const std::string text = numbered(i, 1 + i * 97 % 3'000);
            sent += text;
            ASSERT_EQ(peer.send(text), static_cast<ssize_t>(text.size()));
            ASSERT_TRUE(node.run_until([&] { return peer.receive(heard) != 0 && heard.size() == sent.size(); }));
            ASSERT_EQ(heard, sent);
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

TYPED_TEST(StreamsTest, a_connection_of_ours_is_cut_anywhere_and_stays_whole) {
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

TYPED_TEST(StreamsTest, ten_megabytes_each_way_at_once_while_both_readers_pause_and_go_on) {
    auto node = this->open();
    const auto [a, b] = connect_to_itself(node, node.listen(loopback_v4()));
    const std::string there = pattern(1, 10'000'000), back = pattern(2, 10'000'000);
    node.talker.streams[a].outgoing = there;
    node.talker.streams[b].outgoing = back;
    std::size_t turn = 0;
    ASSERT_TRUE(node.run_until([&] {
        ++turn;
        if (turn % 5 == 0) node.talker.pause(a, turn % 10 == 0);
        if (turn % 7 == 0) node.talker.pause(b, turn % 14 == 0);
        return node.talker.streams[b].bytes == there.size() && node.talker.streams[a].bytes == back.size();
    }));
    EXPECT_TRUE(node.talker.streams[b].received == there);
    EXPECT_TRUE(node.talker.streams[a].received == back);
}

TYPED_TEST(StreamsTest, writes_go_in_parts_through_tiny_buffers) {
    bool tiny = false;
    const bool made = in_own_network(65'536, [&] {
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
        EXPECT_EQ(node.talker.streams[a].writes, 3u) << "one answer for each write, however often it was cut";
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!tiny) GTEST_SKIP() << "this process may not set tcp_wmem in a network of its own";
}

TYPED_TEST(StreamsTest, a_paused_stream_holds_its_peer_back) {
    auto node = this->open();
    const Address local = node.listen(loopback_v4());
    PlainStream peer = PlainStream::connected(local);
    ASSERT_TRUE(node.run_until([&] { return !node.talker.accepted.empty(); }));
    Talker::Stream& stream = node.talker.streams[0];
    node.talker.pause(0, true);
    node.settle();
    const std::string text = pattern(1, 1 << 20);
    std::size_t sent = 0;
    const auto send = [&] {
        const ssize_t taken = peer.send(text);
        if (taken > 0) sent += static_cast<std::size_t>(taken);
        return taken < 0;
    };
    ASSERT_TRUE(node.run_until(send)) << "the peer can send for ever";
    node.settle();
    EXPECT_EQ(stream.bytes, 0u);
    node.talker.pause(0, false);
    ASSERT_TRUE(node.run_until([&] { return stream.bytes == sent; }));
    // Asked for both in one turn, and again while the first is under way.
    for (int i = 0; i < 20; ++i) {
        node.talker.pause(0, true);
        node.talker.pause(0, false);
        if (i % 2 == 0) node.settle();
        sent += static_cast<std::size_t>(peer.send("more"));
    }
    ASSERT_TRUE(node.run_until([&] { return stream.bytes == sent; }));
}

TYPED_TEST(StreamsTest, hundreds_of_streams_at_once_each_get_their_turn) {
    auto node = this->open();
    node.talker.echoes = true;
    const Address local = node.listen(loopback_v4());
    std::vector<PlainStream> peers;
    std::vector<std::string> sent, heard(300);
    for (std::uint32_t i = 0; i < 300; ++i) {
        peers.push_back(PlainStream::connected(local));
        // Several times what the receive buffers hold in all, from the first ones as well as from the last.
        sent.push_back(pattern(i, i % 10 == 0 ? 200'000 : 300));
        ASSERT_EQ(peers.back().send(sent.back()), static_cast<ssize_t>(sent.back().size()));
    }
    ASSERT_TRUE(node.run_until([&] {
        for (std::size_t i = 0; i < peers.size(); ++i) peers[i].receive(heard[i]);
        return heard == sent;
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
    std::string heard;
    const auto read_dry = [&] {
        char buffer[16];
        for (ssize_t got = 0; (got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
            heard.append(buffer, static_cast<std::size_t>(got));
    };
    for (int round = 0; round < 3; ++round) {
        heard.clear();
        std::thread writer([&] { EXPECT_EQ(::write(pipe_ends[1], "input", 5), 5); });
        const std::size_t before = node.turns;
        ASSERT_TRUE(node.run_until([&] { return read_dry(), heard == "input"; }, patience));
        writer.join();
        if (TypeParam::mode == WaitMode::block) {
            EXPECT_LE(node.turns - before, 4u) << "woken for nothing";
        }
    }
    // Left unread it wakes the loop again.
    EXPECT_EQ(::write(pipe_ends[1], "input", 5), 5);
    int turns = 0;
    ASSERT_TRUE(node.run_until([&] { return ++turns == 5; }, patience));
    node.backend().unwatch(pipe_ends[0]);
    turns = 0;
    ASSERT_TRUE(node.run_until([&] { return ++turns == 5; }));
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
}

TYPED_TEST(StreamsTest, what_can_always_be_read_is_not_watched) {
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
