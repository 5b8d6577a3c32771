// What codec/base/stream.hpp promises of every stream, on either backend, spinning and sleeping.

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

TYPED_TEST(StreamsTest, an_echo_both_ways_on_a_connection_of_ours) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        auto server = this->open(), client = this->open();
        server.talker.echoes = true;
        const Address local = server.listen(bind);
        const StreamIndex stream = client.talker.connect(local);
        ASSERT_TRUE(client.run_until([&] { return client.talker.streams[stream].stands; }));
        std::string sent;
        for (std::uint32_t i = 0; i < 20; ++i) {
            sent += numbered(i, 1'000);
            client.talker.streams[stream].outgoing += numbered(i, 1'000);
            ASSERT_TRUE(client.run_until([&] {
                server.run_until([] { return true; });
                return client.talker.streams[stream].received.size() == sent.size();
            }));
            ASSERT_EQ(client.talker.streams[stream].received, sent);
        }
        client.talker.close(stream);
        client.settle();
        ASSERT_TRUE(server.run_until([&] { return server.talker.streams[0].end.has_value(); }));
        EXPECT_EQ(server.talker.streams[0].end, StreamEnd::finished);
    }
}

}  // namespace
}  // namespace ringpost::test
