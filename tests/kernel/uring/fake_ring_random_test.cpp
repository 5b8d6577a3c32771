// UringBackend on the fake ring: random schedules in which every completion can fail.
//
// Replay a failing seed with `RINGPOST_SEED=N fake_ring_test --gtest_filter='*Random*'`.

#include <cstdlib>
#include <random>

#include "tests/kernel/uring/fake_world.hpp"

namespace ringpost::test {
namespace {

class Schedule {
  public:
    explicit Schedule(std::uint32_t seed) : random_(seed), world_({.gso = seed % 5 != 0}) {
        // Each seed has its own failure rates, so that rare failures coincide.
        send_fails_ = one_of({0, 5, 30, 60});
        receive_fails_ = one_of({0, 5, 40});
        shot_ends_ = one_of({0, 5, 40});
        room_percent_ = one_of({10, 50, 100});
        late_max_ = one_of({1, 3, 8});
        sockets_max_ = one_of({1, 2, 4, 6});
        sleeps_percent_ = one_of({0, 10, 50, 100});
    }

    void run() {
        write_script();
        world_.add({.connected = chance(50), .gro = chance(50)});
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
        Script& script = world_.script();
        script.send = [this](const Outgoing& message) {
            if (!chance(send_fails_)) return 0;
            if (message.waits) return one_of({EAGAIN, EAGAIN, ENOBUFS, EIO, EMSGSIZE, ECONNREFUSED, ECANCELED});
            return one_of({EAGAIN, EAGAIN, EAGAIN, ENOBUFS, EIO, EINVAL, EMSGSIZE, ECONNREFUSED, EPERM});
        };
        script.receive = [this] { return chance(receive_fails_) ? one_of({EIO, ECONNREFUSED, EINTR, EAGAIN}) : 0; };
        script.shot = [this] {
            if (!chance(shot_ends_)) return Shot::deliver;
            fake_kernel().script.shot_errno = one_of({ECONNREFUSED, EIO, ECANCELED, ENOBUFS});
            return one_of({Shot::deliver_and_end, Shot::fail, Shot::fail_with_buffer});
        };
        script.idle_shot = [this] { return chance(shot_ends_) ? one_of({ECONNREFUSED, EIO, ECANCELED}) : 0; };
        script.lateness = [this] { return below(late_max_); };
        script.room = [this] { return chance(room_percent_); };
    }

    World::Socket* live_socket() {
        std::vector<World::Socket*> live;
        for (const auto& socket : world_.sockets)
            if (socket->live) live.push_back(socket.get());
        return live.empty() ? nullptr : live[below(static_cast<std::uint32_t>(live.size()))];
    }

    void step() {
        World::Socket* socket = live_socket();
        if (chance(10) && world_.sockets.size() < 40 && live_count() < sockets_max_)
            world_.add({.connected = chance(50), .gro = chance(50)});
        if (socket != nullptr && live_count() > 1 && chance(4)) world_.remove(*socket);
        for (std::uint32_t i = chance(10) ? below(70) : below(4); i > 0; --i) post();
        for (std::uint32_t i = chance(10) ? below(100) : below(4); i > 0; --i) push();
        if (chance(2)) world_.backend->waker().wake();
        world_.turn(chance(sleeps_percent_) ? one_of({Duration{50}, second}) : 0);
    }

    std::size_t live_count() const {
        std::size_t count = 0;
        for (const auto& socket : world_.sockets) count += socket->live ? 1 : 0;
        return count;
    }

    void post() {
        World::Socket* socket = live_socket();
        const std::size_t segment_bytes = 8 + below(60);
        const std::size_t count = chance(30) ? 1 + below(limits::train_segments_max) : 1;
        if (socket != nullptr)
            world_.post(*socket, count, segment_bytes, 8 + below(static_cast<std::uint32_t>(segment_bytes) - 7));
    }

    void push() {
        World::Socket* socket = live_socket();
        const std::size_t count = socket != nullptr && socket->gro && chance(30) ? 1 + below(64) : 1;
        if (socket != nullptr) world_.push(*socket, count, 16, 8 + below(9));
    }

    std::mt19937 random_;
    World world_;
    std::uint32_t send_fails_, receive_fails_, shot_ends_, room_percent_, late_max_, sleeps_percent_;
    std::size_t sockets_max_;
};

TEST(FakeRingRandom, random_failures_neither_lose_nor_duplicate_nor_leak) {
    const char* given = std::getenv("RINGPOST_SEED");
    const std::uint32_t first = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : 1;
    const std::uint32_t last = given != nullptr ? first : 250;
    for (std::uint32_t seed = first; seed <= last; ++seed) {
        SCOPED_TRACE("RINGPOST_SEED=" + std::to_string(seed));
        Schedule(seed).run();
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace ringpost::test
