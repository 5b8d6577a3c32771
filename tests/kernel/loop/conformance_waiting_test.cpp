// What ends a wait; alternating polls and sleeps neither lose nor reorder datagrams.

#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <random>

#include "tests/kernel/loop/conformance.hpp"

namespace ringpost::test {
namespace {

template <class AnyBackend>
class Waiting : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto opened = AnyBackend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
};
using Backends = ::testing::Types<UringBackend, MmsgBackend>;
TYPED_TEST_SUITE(Waiting, Backends, BackendNames);

/// Returns once thread `id` of this process sleeps in the kernel, or on timeout.
void until_asleep(pid_t id) {
    for (const Instant give_up = now() + patience; now() < give_up; std::this_thread::yield()) {
        std::ifstream stat("/proc/self/task/" + std::to_string(id) + "/stat");
        std::string text;
        std::getline(stat, text);
        const auto name_end = text.rfind(") ");
        if (name_end != text.npos && text[name_end + 2] == 'S') return;
    }
}

/// Calls enter(patience), and `wake` on another thread as soon as this one sleeps.
template <class AnyBackend>
void sleep_until_woken_by(AnyBackend& backend, const std::function<void()>& wake) {
    std::thread waker([&, sleeper = gettid()] {
        until_asleep(sleeper);
        wake();
    });
    backend.enter(patience);
    waker.join();
}

TYPED_TEST(Waiting, a_datagram_ends_a_sleep) {
    Driven<TypeParam> engine(patience);
    const SocketIndex socket = engine.add_bound(loopback_v4());
    Peer peer(loopback_v4());
    engine.turn(0);
    for (int round = 0; round < 3; ++round) {
        // The first sleeps may end early, with completions left over from polling.
        const Instant give_up = now() + patience;
        bool sent = false;
        while (engine.received.empty() && now() < give_up) {
            sleep_until_woken_by(*engine, [&] {
                if (!std::exchange(sent, true)) peer.send("wake up", engine.local(socket));
            });
            engine.collect();
        }
        EXPECT_LT(now(), give_up);
        EXPECT_EQ(engine.texts(), std::vector<std::string>{"wake up"});
        engine.received.clear();
    }
}

TYPED_TEST(Waiting, the_waker_ends_a_sleep_repeatedly) {
    Driven<TypeParam> engine(patience);
    engine.add_bound(loopback_v4());
    const Instant give_up = now() + patience;
    for (int round = 0; round < 5; ++round) {
        sleep_until_woken_by(*engine, [&] { engine->waker().wake(); });
        engine->reap();
    }
    engine->waker().wake();  // a wake-up before the sleep also counts
    engine->enter(patience);
    EXPECT_LT(now(), give_up) << "a sleep ended by timeout";
}

TYPED_TEST(Waiting, the_waker_ends_a_sleep_without_limit_and_without_sockets) {
    auto backend = TypeParam::open({}).value();
    for (int round = 0; round < 3; ++round) {
        sleep_until_woken_by(*backend, [&] { backend->waker().wake(); });
        backend->reap();
        backend->waker().wake();
        backend->enter(never);
        backend->reap();
    }
}

TYPED_TEST(Waiting, a_timeout_ends_a_sleep) {
    Driven<TypeParam> engine(0);
    engine.add_bound(loopback_v4());
    for (const Duration sleep : {Duration{1}, 300 * microsecond, 2 * millisecond}) {
        engine->enter(sleep);
        EXPECT_TRUE(engine->reap().empty());
    }
}

TYPED_TEST(Waiting, a_sleep_lasts_until_its_timeout) {
    Driven<TypeParam> engine(0);
    engine.add_bound(loopback_v4());
    engine.settle();
    const Instant wake_at = now() + 5 * millisecond;
    int sleeps = 0;
    for (; now() < wake_at; ++sleeps) engine.turn(wake_at - now());
    EXPECT_LE(sleeps, 4) << "waits return early";
}

TYPED_TEST(Waiting, polling_never_sleeps) {
    Driven<TypeParam> engine(0);
    const SocketIndex socket = engine.add_bound(loopback_v4());
    Peer peer(loopback_v4());
    engine.settle();
    rusage before{}, after{};
    getrusage(RUSAGE_THREAD, &before);
    for (std::uint32_t i = 0; i < 400; ++i) {
        if (i % 10 == 0) peer.send(numbered(i), engine.local(socket));
        engine.turn(0);
    }
    getrusage(RUSAGE_THREAD, &after);
    // Page faults and kernel locks may cause a few context switches; sleeping polls would cause hundreds.
    EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 20);
    EXPECT_EQ(engine.received.size(), 40u);
}

TYPED_TEST(Waiting, alternating_polls_and_sleeps_neither_lose_nor_reorder) {
    for (const std::uint32_t seed : {1u, 2u, 3u, 4u, 5u, 6u})
        for (const bool gro : {true, false}) {
            SCOPED_TRACE("seed " + std::to_string(seed));
            std::mt19937 random(seed);
            const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
            Driven<TypeParam> engine(0);
            const SocketIndex socket = engine.add_bound(loopback_v4(), gro);
            Peer peer(loopback_v4());
            std::vector<std::string> sent;
            while (sent.size() < 1'500) {
                const std::uint32_t burst = below(4) == 0 ? below(120) : below(4);
                for (std::uint32_t i = 0; i < burst; ++i) {
                    // An empty datagram ends a multishot receive, as does a switch to polling.
                    const bool empty = below(50) == 0;
                    sent.push_back(empty ? "" : numbered(static_cast<std::uint32_t>(sent.size()), 4 + below(60)));
                    peer.send(sent.back(), engine.local(socket));
                }
                for (std::uint32_t turns = below(5); turns > 0; --turns)
                    engine.turn(below(2) == 0 ? 0 : 50 * microsecond);
                const bool behind = sent.size() - engine.received.size() > 150;
                ASSERT_TRUE(!behind || engine.await_received(sent.size()));
            }
            ASSERT_TRUE(engine.await_received(sent.size()));
            engine.settle();
            EXPECT_EQ(engine.texts(), sent);
        }
}

TYPED_TEST(Waiting, the_same_with_a_concurrent_sender) {
    constexpr std::uint32_t total = 6'000, ahead_max = 100;
    Driven<TypeParam> engine(0);
    const SocketIndex socket = engine.add_bound(loopback_v4());
    const Address target = engine.local(socket);
    std::atomic<std::uint32_t> received = 0;
    std::thread sender([&] {
        Peer peer(loopback_v4());
        const Instant give_up = now() + patience;
        for (std::uint32_t i = 0; i < total; ++i) {
            while (i - received >= ahead_max && now() < give_up) std::this_thread::yield();
            peer.send(numbered(i, 4 + i % 50), target);
        }
    });
    std::mt19937 random(7);
    const Instant give_up = now() + patience;
    while (engine.received.size() < total && now() < give_up) {
        engine.turn(random() % 3 == 0 ? 0 : 200 * microsecond);
        received = static_cast<std::uint32_t>(engine.received.size());
    }
    sender.join();
    ASSERT_EQ(engine.received.size(), total);
    for (std::uint32_t i = 0; i < total; ++i) ASSERT_EQ(engine.received[i].bytes, numbered(i, 4 + i % 50));
}

TYPED_TEST(Waiting, the_same_with_many_sockets) {
    // Crosses polled_sockets_max, above which multishot receives stay armed while polling.
    Driven<TypeParam> engine(0);
    Peer peer(loopback_v4());
    std::mt19937 random(11);
    std::vector<SocketIndex> sockets;
    std::vector<std::vector<std::string>> sent(16), received(16);
    for (std::uint32_t round = 0; round < 400; ++round) {
        const bool grow = sockets.size() < 2 || (sockets.size() < 7 && random() % 2 == 0);
        if (round % 20 == 0 && grow) sockets.push_back(engine.add_bound(loopback_v4()));
        for (auto i = random() % 12; i > 0; --i) {
            const SocketIndex socket = sockets[random() % sockets.size()];
            sent[socket].push_back(numbered(static_cast<std::uint32_t>(sent[socket].size()), 12));
            peer.send(sent[socket].back(), engine.local(socket));
        }
        engine.turn(random() % 2 == 0 ? 0 : 50 * microsecond);
    }
    std::size_t total = 0;
    for (const auto& texts : sent) total += texts.size();
    ASSERT_TRUE(engine.await_received(total));
    for (const Delivery& delivery : engine.received) received[delivery.socket].push_back(delivery.bytes);
    EXPECT_EQ(received, sent);
}

}  // namespace
}  // namespace ringpost::test
