// The streams of UringBackend on the fake ring: one failure at a time, and random schedules in which every completion
// can fail.
//
// Replay a failing seed with `RINGPOST_SEED=N fake_ring_test --gtest_filter='FakeRingStreams.random*'`.

#include <cstdlib>

#include "engine/os/clock.hpp"
#include "tests/kernel/uring/fake_stream_world.hpp"

namespace ringpost::test {
namespace {

using Kind = StreamRequest::Kind;

TEST(FakeRingStreams, everything_is_delivered_without_failures) {
    for (const bool multishot : {true, false}) {
        StreamWorld world;
        world.script().multishot = multishot;
        world.arrive();
        const StreamIndex ours = world.connect();
        for (int i = 0; i < 4; ++i) world.turn(50);
        ASSERT_EQ(world.streams.size(), 2u);
        for (std::size_t round = 0; round < 20; ++round)
            for (auto& [name, stream] : world.streams) {
                world.send(stream, 1 + round * 9'001);
                world.write(name, 1 + round * 7'001);
                world.turn(round % 3 == 0 ? Duration{50} : 0);
            }
        world.settle();
        EXPECT_TRUE(world.streams.at(ours).established);
        EXPECT_EQ(world.backend->counters().accept_failed, 0u);
        world.verify();
    }
}

TEST(FakeRingStreams, a_partial_write_completes_once) {
    StreamWorld world;
    const StreamIndex name = world.connect();
    world.turn(50);
    world.script().send = [](std::size_t bytes) { return static_cast<int>(std::min<std::size_t>(bytes, 1'000)); };
    world.write(name, 3'500);
    for (int left = 3; left > 0; --left) {
        EXPECT_TRUE(world.streams.at(name).writing) << left;
        EXPECT_TRUE(world.backend->sending());
        world.turn(0);
    }
    EXPECT_FALSE(world.streams.at(name).writing);
    bool room = false;
    world.script().send = [&](std::size_t bytes) { return room ? static_cast<int>(bytes) : -EAGAIN; };
    world.write(name, 100);
    for (int i = 0; i < 5; ++i) world.turn(0);
    EXPECT_TRUE(world.streams.at(name).writing) << "the rest waits in the kernel";
    world.write(world.connect(), 1);  // uses another write buffer
    room = true;
    world.turn(0);
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, a_failed_send_is_reported_by_the_receive) {
    for (const bool at_once : {true, false})
        for (const bool paused : {true, false}) {
            StreamWorld world;
            const StreamIndex name = world.connect();
            world.turn(50);
            world.turn(50);
            auto& stream = world.streams.at(name);
            if (paused) world.request(Kind::pause, name);
            if (!at_once) {
                world.script().send = [](std::size_t) { return -EAGAIN; };
                world.write(name, 1'000);
                world.turn(0);
            }
            world.script().shot = [] { return FakeShot::fail; };  // delays the bytes sent before the reset
            world.send(stream, 500);
            world.end(stream, ECONNRESET);
            if (at_once) world.write(name, 1'000);
            world.turn(0);
            EXPECT_EQ(world.streams.contains(name), !paused);
            world.script().shot = [] { return FakeShot::deliver; };
            world.turn(0);
            world.turn(0);
            EXPECT_EQ(world.ends[StreamEnd::reset], 1u);
            EXPECT_EQ(world.backend->counters().stream_bytes_received, paused ? 0u : 500u);
            world.settle();
            world.verify();
        }
}

TEST(FakeRingStreams, connect_errors_are_mapped) {
    constexpr struct {
        int error;
        StreamEnd end;
    } table[] = {{ECONNREFUSED, StreamEnd::refused},
                 {ETIMEDOUT, StreamEnd::unreachable},
                 {ENETUNREACH, StreamEnd::unreachable},
                 {EHOSTUNREACH, StreamEnd::unreachable},
                 {EHOSTDOWN, StreamEnd::unreachable},
                 {ENETDOWN, StreamEnd::unreachable},
                 {ECONNABORTED, StreamEnd::reset},
                 {EPIPE, StreamEnd::reset},
                 {ECONNRESET, StreamEnd::reset},
                 {EADDRNOTAVAIL, StreamEnd::failed},
                 {ENOMEM, StreamEnd::failed}};
    for (const auto& row : table) {
        StreamWorld world;
        world.script().connect = [&] { return row.error; };
        world.connect();
        world.turn(50);
        EXPECT_EQ(world.ends[row.end], 1u) << row.error;
        EXPECT_EQ(world.backend->counters().connect_failed, 1u);
        world.settle();
        world.verify();
    }
    StreamWorld world;
    world.script().open = [] { return EMFILE; };
    world.connect();
    EXPECT_EQ(world.ends[StreamEnd::failed], 1u) << "reported immediately";
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, a_failed_accept_is_counted_and_retried) {
    for (const int error : {ECONNABORTED, EINTR, EMFILE, ENOMEM}) {
        StreamWorld world;
        int failures = 1;
        world.script().accept = [&] { return failures-- > 0 ? error : 0; };
        world.arrive();
        world.arrive();
        const Instant give_up = now() + 10 * second;
        while (world.streams.size() < 2 && now() < give_up) world.turn(0);
        EXPECT_EQ(world.streams.size(), 2u);
        EXPECT_EQ(world.backend->counters().accept_failed, 1u);
        world.settle();
        world.verify();
    }
}

TEST(FakeRingStreams, a_cancelled_accept_is_no_failure) {
    StreamWorld world;
    int cancelled = 2;
    world.script().accept = [&] { return cancelled-- > 0 ? ECANCELED : 0; };
    world.arrive();
    for (int i = 0; i < 10; ++i) world.turn(0);
    EXPECT_EQ(world.streams.size(), 1u);
    EXPECT_EQ(world.backend->counters().accept_failed, 0u);
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, lost_and_refused_connections_are_released) {
    StreamWorld world;
    world.script().gone = [] { return true; };
    world.arrive();
    world.turn(50);
    world.turn(50);
    EXPECT_EQ(world.backend->counters().accept_failed, 1u);
    world.script().gone = [] { return false; };
    world.refusals_left = 1;
    world.arrive();
    world.turn(50);
    EXPECT_EQ(world.backend->counters().streams_refused, 1u);
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, more_bytes_than_provided_buffers_wait_in_their_sockets) {
    StreamWorld world;
    for (int i = 0; i < 6; ++i) world.connect();
    world.turn(50);
    world.script().cut = [] { return std::size_t{10}; };
    for (auto& [name, stream] : world.streams) world.send(stream, 1'000);
    for (int i = 0; i < 8; ++i) world.turn(0);
    for (const auto& [name, stream] : world.streams) EXPECT_GT(stream.received.size(), 0u) << "starved: " << name;
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, completions_after_close_are_dropped) {
    StreamWorld world;
    world.script().lateness = [] { return 6u; };
    world.script().connect = [] { return EAGAIN; };
    world.connect();
    world.turn(0);
    world.script().connect = [] { return 0; };
    world.request(Kind::close, 0);  // the connect still completes
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(world.connect(), 0u) << "the index is not free";
        world.turn(0);
        world.turn(0);
        auto& stream = world.streams.at(0);
        world.script().send = [](std::size_t) { return -EAGAIN; };
        world.write(0, 100);
        world.turn(0);
        world.send(stream, 50);
        world.request(Kind::close, 0);  // with bytes unread and a write in progress
    }
    EXPECT_LT(world.net().highest_slot, 10u) << "slots are not reused";
    world.settle();
    world.verify();
}

TEST(FakeRingStreams, pause_and_resume_in_any_order_without_loss) {
    StreamWorld world;
    world.connect();
    world.turn(50);
    world.script().lateness = [] { return 3u; };
    for (int i = 0; i < 60; ++i) {
        world.request(i % 3 == 0 ? Kind::pause : Kind::resume, 0);
        if (i % 7 == 0) world.request(Kind::pause, 0);
        world.send(world.streams.at(0), 100);
        if (i % 2 == 0) world.turn(0);
    }
    world.settle();
    world.verify();
}

/// 250 turns with the failure rates of one seed.
class StreamSchedule {
  public:
    explicit StreamSchedule(std::uint32_t seed) : random_(seed) {
        send_fails_ = one_of({0u, 20u, 60u});
        connect_fails_ = one_of({0u, 20u, 70u});
        shot_ends_ = one_of({0u, 10u, 50u});
        accept_fails_ = one_of({0u, 30u});
        late_max_ = one_of({1u, 3u, 8u});
        sleeps_percent_ = one_of({0u, 50u, 100u});
        world_.script().multishot = seed % 7 != 0;
        write_script();
    }
    void run() {
        for (int i = 0; i < 250 && !::testing::Test::HasFailure(); ++i) step();
        world_.settle();
        world_.verify();
    }

  private:
    std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
    bool chance(std::uint32_t percent) { return below(100) < percent; }
    template <class T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[below(static_cast<std::uint32_t>(values.size()))];
    }
    void write_script() {
        StreamScript& script = world_.script();
        script.open = [this] { return chance(connect_fails_ / 4) ? EMFILE : 0; };
        script.accept = [this] { return chance(accept_fails_) ? one_of({ECONNABORTED, EINTR}) : 0; };
        script.gone = [this] { return chance(accept_fails_ / 4); };
        script.connect = [this] {
            return chance(connect_fails_) ? one_of({EAGAIN, EAGAIN, ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL}) : 0;
        };
        script.send = [this](std::size_t bytes) {
            if (!chance(send_fails_)) return static_cast<int>(bytes);
            if (chance(5)) return one_of({-ENOBUFS, -EINTR, -EACCES});
            return chance(50) ? -EAGAIN : static_cast<int>(1 + below(static_cast<std::uint32_t>(bytes)));
        };
        script.shot = [this] {
            if (!chance(shot_ends_)) return FakeShot::deliver;
            fake_kernel().streams.script.shot_errno = one_of({EINTR, EAGAIN, ENOBUFS, ECANCELED});
            return one_of({FakeShot::deliver_and_end, FakeShot::fail});
        };
        script.cut = [this] { return std::size_t{1} + below(chance(50) ? 20 : 70'000); };
        script.lateness = [this] { return below(late_max_); };
    }
    void step() {
        if (chance(20) && world_.streams.size() < 12) world_.arrive();
        if (chance(20) && world_.streams.size() < 12) world_.connect();
        if (chance(3)) ++world_.refusals_left;
        for (const auto& [name, stream] : std::map(world_.streams)) {
            const auto again = world_.streams.find(name);  // an earlier request may have ended it
            if (again == world_.streams.end()) continue;
            if (chance(30)) world_.send(again->second, 1 + below(chance(10) ? 90'000 : 300));
            if (chance(3)) StreamWorld::end(again->second, one_of({0, 0, ECONNRESET, ETIMEDOUT}));
            if (chance(30))
                world_.write(name, 1 + below(chance(10) ? 90'000 : 300));
            else if (chance(4))
                world_.request(Kind::close, name);
            else if (again->second.established && chance(10))
                world_.request(one_of({Kind::pause, Kind::resume}), name);
        }
        if (chance(2)) world_.backend->waker().wake();
        world_.turn(chance(sleeps_percent_) ? Duration{50} : 0);
    }

    std::mt19937 random_;
    StreamWorld world_;
    std::uint32_t send_fails_, connect_fails_, shot_ends_, accept_fails_, late_max_, sleeps_percent_;
};

TEST(FakeRingStreams, random_failures_neither_lose_nor_mix_up_nor_leak) {
    const char* given = std::getenv("RINGPOST_SEED");
    const std::uint32_t first = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : 1;
    const std::uint32_t last = given != nullptr ? first : 100;
    for (std::uint32_t seed = first; seed <= last; ++seed) {
        SCOPED_TRACE("RINGPOST_SEED=" + std::to_string(seed));
        StreamSchedule(seed).run();
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace ringpost::test
