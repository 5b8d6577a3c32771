// Opening and closing thousands of sockets, streams and backends leaks neither descriptors nor memory.

#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/kernel/tcp/stream_test.hpp"

namespace ringpost::test {
namespace {

std::size_t descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t size = 0, resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

constexpr std::size_t growth_bytes_max = 8u << 20;  // less than 1.2 KiB per socket, 11 KiB per ring

template <class Backend>
class Leak : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto opened = Backend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    static std::size_t in_flight(Backend& backend) {
        if constexpr (std::is_same_v<Backend, UringBackend>)
            return backend.in_flight();
        else
            return 0;
    }
};
using Backends = ::testing::Types<UringBackend, MmsgBackend>;
TYPED_TEST_SUITE(Leak, Backends, BackendNames);

TYPED_TEST(Leak, ten_thousand_sockets) {
    constexpr std::size_t rounds = 200, at_once = 50;
    const std::size_t descriptors_before = descriptors();
    {
        Driven<TypeParam> engine(100 * microsecond);
        Peer peer(loopback_v4());
        const std::size_t descriptors_open = descriptors();
        std::size_t resident_after_warm_up = 0;
        for (std::size_t round = 0; round < rounds; ++round) {
            std::vector<SocketIndex> sockets;
            for (std::size_t i = 0; i < at_once; ++i) sockets.push_back(engine.add_bound(loopback_v4()));
            EXPECT_LT(*std::max_element(sockets.begin(), sockets.end()), 2 * at_once) << "slots are not reused";
            // In turn: unused, after a sleep, with datagrams both ways, with datagrams unread and unsent.
            if (round % 4 == 1) engine.turn(50 * microsecond);
            if (round % 4 >= 2)
                for (const SocketIndex socket : sockets) {
                    peer.send("in", engine.local(socket));
                    engine.post(socket, "out", peer.local());
                }
            ASSERT_TRUE(round % 4 != 2 || engine.await_received(at_once));
            for (const SocketIndex socket : sockets) engine->remove(socket);
            engine.received.clear();
            while (peer.receive(MSG_DONTWAIT)) {
            }
            engine.settle();
            if (round == rounds / 4) resident_after_warm_up = resident_bytes();
        }
        ASSERT_TRUE(engine.run_until([&] { return this->in_flight(*engine) <= 1; })) << "only the poll for the waker";
        EXPECT_EQ(descriptors(), descriptors_open);
        EXPECT_LT(resident_bytes(), resident_after_warm_up + growth_bytes_max);
        EXPECT_EQ(engine->counters().send_failed, 0u);
    }
    EXPECT_EQ(descriptors(), descriptors_before);
}

TYPED_TEST(Leak, a_thousand_streams) {
    constexpr std::size_t rounds = 50, at_once = 20;
    const std::size_t descriptors_before = descriptors();
    {
        TalkerLoop<TypeParam> node(WaitMode::block);
        node.talker.counts_only = true;
        const Address local = node.listen(loopback_v4());
        node.settle();
        const std::size_t descriptors_open = descriptors();
        std::size_t resident_after_warm_up = 0;
        for (std::size_t round = 0; round < rounds; ++round) {
            // Connected and accepted; closed while connecting, idle, or with bytes in flight; closed and reset.
            std::vector<PlainStream> peers;
            node.talker.accepted.clear();
            for (std::size_t i = 0; i < at_once / 2; ++i) {
                peers.push_back(PlainStream::connected(local));
                node.talker.connect(local);
            }
            if (round % 4 > 0) {
                ASSERT_TRUE(node.run_until([&] { return node.talker.accepted.size() >= at_once; }));
            }
            if (round % 4 > 1)
                for (auto& [name, stream] : node.talker.streams) stream.outgoing = std::string(100'000, 'x');
            if (round % 4 > 2) node.settle();
            for (std::size_t i = 0; i < peers.size(); i += 3) peers[i].reset();
            if (round % 8 > 3) node.settle();
            for (const auto& [name, stream] : node.talker.streams) EXPECT_LT(name, 4 * at_once) << "indices not reused";
            node.talker.close_all();
            peers.clear();
            node.settle();
            if (round == rounds / 4) resident_after_warm_up = resident_bytes();
        }
        node.talker.close_all();
        ASSERT_TRUE(node.run_until([&] { return node.talker.at_rest() && this->in_flight(node.backend()) <= 2; }))
            << "only the waker's poll and the accept";
        EXPECT_EQ(descriptors(), descriptors_open);
        EXPECT_LT(resident_bytes(), resident_after_warm_up + growth_bytes_max);
        EXPECT_FALSE(node.backend().sending());
    }
    EXPECT_EQ(descriptors(), descriptors_before);
}

TYPED_TEST(Leak, a_thousand_backends) {
    const std::size_t descriptors_before = descriptors();
    std::size_t resident_after_warm_up = 0;
    for (std::size_t i = 0; i < 1'000; ++i) {
        auto opened = TypeParam::open({});
        // Without privileges a ring's memory counts as locked until the kernel has torn it down asynchronously, after
        // an RCU grace period. membarrier waits for that; retrying immediately would only add more to tear down.
        for (const Instant give_up = now() + patience; !opened && opened.error().code == ENOMEM && now() < give_up;
             opened = TypeParam::open({}))
            syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
        ASSERT_TRUE(opened) << opened.error().text;
        Driven<TypeParam> engine(0, std::move(*opened));
        if (i % 10 < 5) {
            // Close with requests in flight: an armed receive and datagrams.
            const SocketIndex socket = engine.add_bound(loopback_v4());
            engine.turn(1);
            engine.post(socket, "to itself", engine.local(socket));
            if (i % 2 == 0) engine.turn(0);
        }
        if (i == 250) resident_after_warm_up = resident_bytes();
    }
    EXPECT_EQ(descriptors(), descriptors_before);
    EXPECT_LT(resident_bytes(), resident_after_warm_up + growth_bytes_max);
}

}  // namespace
}  // namespace ringpost::test
