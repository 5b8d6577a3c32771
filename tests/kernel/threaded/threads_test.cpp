// ThreadedMessenger used by many threads, and stopped while they use it; its MessengerCore, WakeUp and Threaded.

#include <poll.h>

#include <map>
#include <mutex>
#include <thread>

#include "engine/faces/messenger_core.hpp"
#include "engine/threaded/threaded.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

using gtudp::ThreadedMessenger, gtudp::Outcome, gtudp::SendRefusal;

class ThreadOptionsTest : public OnBackend {};

/// Threads that send numbered messages from one engine to another and take the outcomes.
class Senders {
  public:
    Senders(ThreadedMessenger& source, const Address& target, std::uint32_t threads, std::uint32_t each) {
        for (std::uint32_t id = 0; id < threads; ++id)
            running_.emplace_back([=, this, &source] {
                for (std::uint32_t i = id * each; i < (id + 1) * each; ++i) send(source, target, i);
                while (ended_ < threads * each) take_outcome(source, millisecond);
            });
    }
    void join() {
        for (auto& thread : running_) thread.join();
    }
    std::uint32_t confirmed() const { return confirmed_; }
    std::uint32_t ended() const { return ended_; }

    static std::size_t size_of(std::uint32_t number) {
        return number % 500 == 499 ? 60'000 : sizeof number + number % 97;
    }

  private:
    void send(ThreadedMessenger& source, const Address& target, std::uint32_t number) {
        const std::string text = numbered(number, size_of(number));
        while (true) {
            const auto ticket = source.send(target, as_bytes(text));
            if (ticket) return;
            ASSERT_EQ(ticket.error(), SendRefusal::queue_full);
            take_outcome(source, millisecond);
        }
    }
    void take_outcome(ThreadedMessenger& source, Duration timeout) {
        const auto ended = source.next_outcome(timeout);
        if (!ended) return;
        if (ended->result == Outcome::confirmed) ++confirmed_;
        ++ended_;
    }

    std::atomic<std::uint32_t> confirmed_{0}, ended_{0};
    std::vector<std::thread> running_;
};

/// Threads that receive until `count` messages have arrived.
class Receivers {
  public:
    Receivers(ThreadedMessenger& engine, std::uint32_t threads, std::uint32_t count) : seen_(count) {
        for (std::uint32_t id = 0; id < threads; ++id)
            running_.emplace_back([=, this, &engine] {
                while (received_ < count) take(engine.receive(millisecond));
            });
    }
    void join() {
        for (auto& thread : running_) thread.join();
    }
    bool once_each() const {
        return std::all_of(seen_.begin(), seen_.end(), [](const auto& times) { return times == 1; });
    }

  private:
    void take(const std::optional<gtudp::Message>& message) {
        if (!message) return;
        const std::uint32_t number = number_of(message->bytes);
        EXPECT_EQ(as_text(message->bytes), numbered(number, Senders::size_of(number)));
        ++seen_.at(number);
        ++received_;
    }

    std::vector<std::atomic<std::uint32_t>> seen_;
    std::atomic<std::uint32_t> received_{0};
    std::vector<std::thread> running_;
};

TEST_P(ThreadOptionsTest, a_hundred_thousand_each_way_arrive_once) {
    constexpr std::uint32_t threads = 4, each = 2'500 * scale, count = threads * each;
    ThreadedMessenger left = open_engine(), right = open_engine();
    Receivers at_left(left, 2, count), at_right(right, 2, count);
    Senders from_left(left, right.local(), threads, each), from_right(right, left.local(), threads, each);
    for (Senders* senders : {&from_left, &from_right}) {
        senders->join();
        EXPECT_EQ(senders->ended(), count);
        EXPECT_EQ(senders->confirmed(), count);
    }
    for (Receivers* receivers : {&at_left, &at_right}) {
        receivers->join();
        EXPECT_TRUE(receivers->once_each());
    }
    for (ThreadedMessenger* engine : {&left, &right}) {
        EXPECT_FALSE(engine->receive(0));
        EXPECT_FALSE(engine->next_outcome(0));
        const gtudp::Counters counts = engine->counters();
        EXPECT_EQ(counts.delivered, count);
        EXPECT_EQ(counts.taken, count);
        EXPECT_EQ(counts.confirmed, count);
    }
}

TEST_P(ThreadOptionsTest, every_send_has_an_outcome_when_stopped) {
    for (std::uint32_t round = 0; round < 4 * scale; ++round) {
        const Peer silent(loopback_v4());
        auto chosen = options();
        chosen.sends_max = 64;
        ThreadedMessenger engine = open_engine(chosen);
        std::mutex mutex;
        std::map<std::uint64_t, int> tickets;  // +1 by send(), -1 by next_outcome()
        std::atomic<std::uint32_t> taken{0}, returned{0};
        std::vector<std::thread> running;
        for (int id = 0; id < 2; ++id)
            running.emplace_back([&, id] {
                while (true) {
                    const auto ticket = engine.send(id == 0 ? silent.local() : engine.local(), as_bytes("text"));
                    if (!ticket && ticket.error() == SendRefusal::stopped) break;
                    if (!ticket) std::this_thread::yield();
                    if (!ticket) continue;
                    const std::lock_guard lock(mutex);
                    ++tickets[ticket->number];
                    ++taken;
                }
            });
        running.emplace_back([&] {
            while (const auto ended = engine.next_outcome(never)) {
                const std::lock_guard lock(mutex);
                --tickets[ended->ticket.number];
            }
            ++returned;
        });
        running.emplace_back([&] {
            const auto result = engine.send_and_wait(silent.local(), as_bytes("text"), never);
            EXPECT_TRUE(result == Outcome::cancelled || !result);
            ++returned;
        });
        running.emplace_back([&] {
            while (engine.receive(never)) continue;
            ++returned;
        });
        while (taken < 16) std::this_thread::yield();
        engine.stop();
        for (auto& thread : running) thread.join();
        EXPECT_EQ(returned, 3u);
        while (const auto ended = engine.next_outcome(0)) --tickets[ended->ticket.number];
        for (const auto& [number, balance] : tickets) ASSERT_EQ(balance, 0) << number;
        EXPECT_EQ(engine.send(silent.local(), as_bytes("text")).error(), SendRefusal::stopped);
        engine.stop();
        const gtudp::Counters counts = engine.counters();
        EXPECT_EQ(counts.taken, counts.confirmed + counts.cancelled);
    }
}

TEST_P(ThreadOptionsTest, queued_messages_and_outcomes_survive_stop) {
    ThreadedMessenger engine = open_engine();
    const Peer silent(loopback_v4());
    const auto ticket = engine.send(silent.local(), as_bytes("in flight")).value();
    EXPECT_EQ(engine.send_and_wait(engine.local(), as_bytes("arrived"), patience), Outcome::confirmed);
    engine.stop();
    EXPECT_EQ(as_text(engine.receive(never)->bytes), "arrived");
    EXPECT_FALSE(engine.receive(never));
    const auto ended = engine.next_outcome(never);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ticket, ticket);
    EXPECT_EQ(ended->result, Outcome::cancelled);
    EXPECT_FALSE(engine.next_outcome(never));
    EXPECT_EQ(engine.counters().cancelled, 1u);
    EXPECT_TRUE(UdpSocket::open(bound_to(engine.local()))) << "the port is free again";
}

TEST_P(ThreadOptionsTest, many_threads_read_counters) {
    ThreadedMessenger engine = open_engine();
    std::vector<std::thread> running;
    for (int id = 0; id < 4; ++id)
        running.emplace_back([&] {
            std::uint64_t least = 0;
            for (std::uint32_t i = 0; i < 100 * scale; ++i) {
                EXPECT_EQ(engine.send_and_wait(engine.local(), as_bytes("text"), patience), Outcome::confirmed);
                const std::uint64_t confirmed = engine.counters().confirmed;
                EXPECT_GT(confirmed, least);
                least = confirmed;
                EXPECT_TRUE(engine.receive(patience));
            }
        });
    for (auto& thread : running) thread.join();
    EXPECT_EQ(engine.counters().confirmed, 400u * scale);
}

RINGPOST_ON_BOTH_BACKENDS(ThreadOptionsTest);

gtudp::OpenOptions small_queues() {
    gtudp::OpenOptions options;
    options.sends_max = options.receives_max = 8;
    return options;
}

gtudp::MessengerCore small_core() {
    return gtudp::MessengerCore(small_queues(), {}, UdpSocket::open(bound_to(loopback_v4())).value());
}

TEST(MessengerCore, large_sends_have_few_blocks) {
    using To = gtudp::MessengerCore::OutcomeTo;
    gtudp::MessengerCore core = small_core();
    std::vector<gtudp::Ticket> tickets;
    const auto take = [&](std::string_view text) {
        const auto ticket = core.take_slot(loopback_v4(9), as_bytes(text), never, To::queue);
        if (ticket) tickets.push_back(*ticket);
        return ticket;
    };
    const std::string large = numbered(1, 60'000);
    EXPECT_TRUE(take(large));
    EXPECT_TRUE(take(large));
    EXPECT_EQ(take(large).error(), SendRefusal::queue_full);
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(take("small"));
    EXPECT_EQ(take("small").error(), SendRefusal::queue_full);
    for (const gtudp::Ticket ticket : tickets) core.abandon({.ticket = ticket});
    int cancelled = 0;
    while (const auto ended = core.next_outcome(0)) cancelled += ended->result == Outcome::cancelled ? 1 : 0;
    EXPECT_EQ(cancelled, 8);
}

TEST(WakeUp, never_sleeps_with_a_command_queued) {
    // Only the wake-up protocol, many times: each command arrives while the loop is about to sleep.
    BoundedQueue<std::uint32_t> commands(8);
    WakeUp wake_up;
    const Waker waker = Waker::open().value();
    ASSERT_EQ(wake_up.attach(waker), std::nullopt);
    const std::uint32_t count = 5'000 * scale;
    std::atomic<std::uint32_t> done{0};
    std::thread submitting([&] {
        for (std::uint32_t i = 0; i < count; ++i) {
            // A varying delay, to hit every point of prepare_sleep().
            for (std::uint32_t delay = 0; delay < i % 128; ++delay) std::atomic_signal_fence(std::memory_order_seq_cst);
            ASSERT_TRUE(commands.try_push(i));
            wake_up.notify();
            // Spin first, because a system call would give the loop too much time.
            for (int looks = 0; looks < 10'000 && done.load() <= i; ++looks) continue;
            while (done.load() <= i) std::this_thread::yield();
        }
    });
    pollfd ready{waker.fd(), POLLIN, 0};
    while (done < count) {
        while (commands.try_pop()) ++done;
        if (done == count || !wake_up.prepare_sleep([&] { return commands.empty(); })) continue;
        int woken = 0;
        for (int looks = 0; looks < 20 && woken == 0; ++looks) woken = poll(&ready, 1, 0);
        if (woken == 0) woken = poll(&ready, 1, static_cast<int>(patience / millisecond));
        EXPECT_EQ(woken, 1) << "sleeping after " << done << " commands with another queued";
        waker.clear();
        wake_up.set_awake();
    }
    submitting.join();
}

/// A ThreadedProtocol that counts its commands.
struct CountingProtocol {
    struct Endpoint {
        struct Event {};
        void handle(Instant, const Datagram&) {}
        void handle_timeout(Instant) {}
        std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return std::nullopt; }
        std::optional<Event> poll_event() { return std::nullopt; }
        std::optional<Instant> poll_timeout() const { return std::nullopt; }
    };
    struct Command {};

    template <class Backend>
    std::optional<Error> open(Backend&) {
        return std::nullopt;
    }
    Endpoint& endpoint() { return endpoint_; }
    void on_event(Instant, const Endpoint::Event&) {}
    void run(Instant, const Command&) { ++ended; }
    void abandon(const Command&) { ++ended; }
    Instant on_turn(Instant) { return never; }
    void publish() {}
    bool may_sleep() const { return true; }
    void close(Instant) {}
    bool finished() const { return true; }
    void end() {}

    std::atomic<std::uint32_t> ended{0};
    Endpoint endpoint_;
};

TEST(Threaded, commands_submitted_during_stop_end_once) {
    for (std::uint32_t round = 0; round < 40 * scale; ++round) {
        Threaded<CountingProtocol> threaded(8);
        ASSERT_EQ(threaded.start({.wait = WaitMode::block}), std::nullopt);
        std::atomic<std::uint32_t> ready{0}, submitted{0}, called{0};
        std::vector<std::thread> running;
        for (int id = 0; id < 2; ++id)
            running.emplace_back([&] {
                ++ready;
                while (ready < 3) std::this_thread::yield();
                for (int i = 0; i < 3; ++i) submitted += threaded.submit({}) ? 1 : 0;
                threaded.call_or_run([&](Instant) { ++called; });
            });
        ++ready;
        while (ready < 3) std::this_thread::yield();
        threaded.stop();
        for (auto& thread : running) thread.join();
        EXPECT_EQ(threaded.protocol.ended, submitted);
        EXPECT_EQ(called, 2u);
        EXPECT_FALSE(threaded.call([](Instant) {}));
    }
}

}  // namespace
}  // namespace ringpost::test
