// What codec/base/stream.hpp promises of every stream, on either backend, spinning and sleeping.

#include <fcntl.h>
#include <sys/resource.h>

#include <fstream>
#include <random>

#include "tests/kernel/stream_test.hpp"

namespace ringpost::test {
namespace {

template <class AnyBackend, WaitMode any_mode>
struct Way {
    using Backend = AnyBackend;
    static constexpr WaitMode mode = any_mode;
};
using Ways = ::testing::Types<Way<UringBackend, WaitMode::spin>, Way<UringBackend, WaitMode::block>,
                              Way<MmsgBackend, WaitMode::spin>, Way<MmsgBackend, WaitMode::block>>;
struct WayNames {
    template <class AnyWay>
    static std::string GetName(int) {
        return std::string(AnyWay::Backend::name) + (AnyWay::mode == WaitMode::spin ? "_spinning" : "_sleeping");
    }
};

template <class AnyWay>
class StreamsTest : public ::testing::Test {
  protected:
    using Driven = TalkerLoop<typename AnyWay::Backend>;
    void SetUp() override {
        if (auto opened = AnyWay::Backend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    static Driven open() { return Driven(AnyWay::mode); }
};
/// A node connected to itself: both ends in one endpoint, so that nothing but the loop makes it go on.
template <class Driven>
std::pair<StreamIndex, StreamIndex> connect_to_itself(Driven& node, const Address& listening) {
    const std::size_t before = node.talker.accepted.size();
    const StreamIndex ours = node.talker.connect(listening);
    EXPECT_TRUE(
        node.run_until([&] { return node.talker.streams[ours].stands && node.talker.accepted.size() > before; }));
    return {ours, node.talker.accepted.back()};
}

/// An address at which nobody listens.
Address closed_port() { return StreamListener::open(loopback_v4()).value().local(); }

std::string pattern(std::uint32_t seed, std::size_t size) {
    std::mt19937 random(seed);
    std::string out;
    for (out.reserve(size + 4); out.size() < size;) {
        const auto word = static_cast<std::uint32_t>(random());
        out.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    out.resize(size);
    return out;
}

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
        const Counters counters = node.backend().counters();
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
    EXPECT_LE(failures, 2 + static_cast<std::uint64_t>(took / accept_rest)) << "it does not rest";
    if (TypeParam::mode == WaitMode::block) {
        EXPECT_LE(node.turns - turns_before, 8 * failures) << "the loop spins";
    }
    ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() == 3; }, second));
    peers[0].send("at last");
    ASSERT_TRUE(node.run_until([&] { return node.talker.streams[0].received == "at last"; }, second));
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
