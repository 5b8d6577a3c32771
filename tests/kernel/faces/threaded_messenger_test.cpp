// The calls of ThreadedMessenger, on both backends.

#include <thread>

#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

using gtudp::ThreadedMessenger, gtudp::Outcome, gtudp::SendRefusal, gtudp::SendResult;

constexpr SendResult refused(SendRefusal why) { return std::unexpected(why); }

class EngineTest : public OnBackend {};

TEST_P(EngineTest, send_and_wait_delivers) {
    ThreadedMessenger source = open_engine(), target = open_engine();
    EXPECT_STREQ(source.backend(), backend_name({GetParam(), 0}).c_str());
    for (const unsigned size : {0u, 1u, 4u, 2'048u, 2'049u, 60'000u, 65'502u}) {
        const std::string text = numbered(1, size);
        EXPECT_EQ(source.send_and_wait(target.local(), as_bytes(text), patience), Outcome::confirmed) << size;
        const auto message = target.receive(patience);
        ASSERT_TRUE(message);
        EXPECT_EQ(message->peer, source.local());
        EXPECT_EQ(as_text(message->bytes), text);
        EXPECT_FALSE(message->foreign);
    }
    EXPECT_EQ(source.send_and_wait(target.local(), as_bytes(numbered(1, 65'503)), patience),
              refused(SendRefusal::too_large));
    EXPECT_EQ(source.counters().confirmed, 7u);
    EXPECT_EQ(target.counters().delivered, 7u);
    EXPECT_GT(target.engine_counters().received, 0u);
}

TEST_P(EngineTest, send_and_wait_returns_at_its_timeout) {
    const Peer silent(loopback_v4());
    Address dead;
    {
        const Peer gone(loopback_v4());
        dead = gone.local();
    }
    ThreadedMessenger engine = open_engine();
    for (const Address& peer : {silent.local(), dead}) {
        const Instant before = now();
        EXPECT_EQ(engine.send_and_wait(peer, as_bytes("anybody?"), 30 * millisecond), Outcome::gave_up_deadline);
        EXPECT_GE(now(), before + 30 * millisecond);
    }
    EXPECT_EQ(engine.send_and_wait(silent.local(), as_bytes("now"), 0), Outcome::gave_up_deadline);
}

TEST_P(EngineTest, many_threads_wait_at_once) {
    constexpr std::uint32_t threads = 8, each = 50 * scale;
    ThreadedMessenger source = open_engine(), target = open_engine();
    const Peer silent(loopback_v4());
    std::atomic<std::uint32_t> confirmed{0}, given_up{0};
    std::vector<std::thread> running;
    for (std::uint32_t id = 0; id < threads; ++id)
        running.emplace_back([&, id] {
            for (std::uint32_t i = 0; i < each; ++i) {
                const bool vain = (i + id) % 50 == 0;
                const auto result =
                    source.send_and_wait(vain ? silent.local() : target.local(), as_bytes(numbered(id * each + i)),
                                         vain ? 5 * millisecond : patience);
                if (result == (vain ? Outcome::gave_up_deadline : Outcome::confirmed)) ++(vain ? given_up : confirmed);
            }
        });
    for (auto& thread : running) thread.join();
    EXPECT_EQ(confirmed + given_up, threads * each);
    std::vector<std::uint32_t> seen(threads * each, 0);
    for (std::uint32_t i = 0; i < confirmed; ++i) {
        const auto message = target.receive(patience);
        ASSERT_TRUE(message);
        ++seen.at(number_of(message->bytes));
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1u), confirmed.load());
    EXPECT_FALSE(target.receive(0));
}

TEST_P(EngineTest, each_ticket_has_one_outcome) {
    ThreadedMessenger engine = open_engine();
    const Peer silent(loopback_v4());
    const auto confirmed = engine.send(engine.local(), as_bytes("to itself")).value();
    auto ended = engine.next_outcome(patience);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ticket, confirmed);
    EXPECT_EQ(ended->peer, engine.local());
    EXPECT_EQ(ended->result, Outcome::confirmed);
    EXPECT_GE(ended->sends, 1u);

    const auto cancelled = engine.send(silent.local(), as_bytes("never mind")).value();
    EXPECT_NE(cancelled, confirmed);
    EXPECT_TRUE(engine.cancel(confirmed)) << "no effect, because it has ended";
    EXPECT_FALSE(engine.next_outcome(0));
    EXPECT_TRUE(engine.cancel(cancelled));
    ended = engine.next_outcome(patience);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ticket, cancelled);
    EXPECT_EQ(ended->result, Outcome::cancelled);

    const auto late = engine.send(silent.local(), as_bytes("late"), now() + 5 * millisecond).value();
    ended = engine.next_outcome(patience);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ticket, late);
    EXPECT_EQ(ended->result, Outcome::gave_up_deadline);
    EXPECT_FALSE(engine.next_outcome(millisecond));
}

TEST_P(EngineTest, a_full_queue_refuses_until_outcomes_are_taken) {
    auto chosen = options();
    chosen.sends_max = 4;
    ThreadedMessenger engine = open_engine(chosen);
    const Peer silent(loopback_v4());
    std::vector<gtudp::Ticket> tickets;
    for (int i = 0; i < 4; ++i) tickets.push_back(engine.send(silent.local(), as_bytes("wait")).value());
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(engine.send(silent.local(), as_bytes("no room")).error(), SendRefusal::queue_full);
        EXPECT_EQ(engine.send_and_wait(silent.local(), as_bytes("no room"), second), refused(SendRefusal::queue_full));
        EXPECT_TRUE(engine.cancel(tickets.front()));
        const auto ended = engine.next_outcome(patience);
        ASSERT_TRUE(ended);
        EXPECT_EQ(ended->ticket, tickets.front());
        tickets.erase(tickets.begin());
        tickets.push_back(engine.send(silent.local(), as_bytes("again")).value());
    }
}

TEST_P(EngineTest, refusals_of_the_endpoint_are_outcomes) {
    const Peer silent(loopback_v4());
    auto chosen = options();
    chosen.protocol.sends_per_peer_max = 1;
    chosen.protocol.payload_bytes = 4'096;
    ThreadedMessenger engine = open_engine(chosen);
    const auto first = engine.send(silent.local(), as_bytes("the one")).value();
    EXPECT_EQ(engine.send_and_wait(silent.local(), as_bytes("another"), second), refused(SendRefusal::peer_full));
    EXPECT_EQ(engine.send_and_wait(engine.local(), as_bytes(numbered(1, 5'000)), second),
              refused(SendRefusal::table_full));
    const auto second_one = engine.send(silent.local(), as_bytes("another")).value();
    const auto ended = engine.next_outcome(patience);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ticket, second_one);
    EXPECT_EQ(ended->result, refused(SendRefusal::peer_full));
    EXPECT_TRUE(engine.cancel(first));
    EXPECT_EQ(engine.next_outcome(patience)->result, Outcome::cancelled);
}

TEST_P(EngineTest, without_room_messages_are_not_acknowledged_and_are_resent) {
    auto chosen = options();
    chosen.receives_max = 4;
    ThreadedMessenger source = open_engine(), target = open_engine(chosen);
    constexpr std::uint32_t count = 40;
    const auto size_of = [](std::uint32_t i) { return i % 8 == 7 ? 60'000u : 8u; };
    for (std::uint32_t i = 0; i < count; ++i)
        ASSERT_TRUE(source.send(target.local(), as_bytes(numbered(i, size_of(i)))));
    while (target.counters().app_behind == 0) std::this_thread::yield();
    EXPECT_LE(target.counters().delivered, 6u) << "four small blocks and two large ones";
    // A full receive queue does not delay sends.
    EXPECT_EQ(target.send_and_wait(source.local(), as_bytes(numbered(count)), patience), Outcome::confirmed);
    EXPECT_TRUE(source.receive(patience));

    std::vector<std::uint32_t> seen(count, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto message = target.receive(patience);
        ASSERT_TRUE(message);
        const std::uint32_t number = number_of(message->bytes);
        ++seen.at(number);
        EXPECT_EQ(as_text(message->bytes), numbered(number, size_of(number)));
    }
    EXPECT_EQ(seen, std::vector<std::uint32_t>(count, 1));
    for (std::uint32_t i = 0; i < count; ++i) EXPECT_EQ(source.next_outcome(patience)->result, Outcome::confirmed);
    EXPECT_FALSE(target.receive(0));
    const gtudp::Counters counts = target.counters();
    EXPECT_EQ(counts.data_received, counts.delivered + counts.duplicates + counts.app_behind);
}

TEST_P(EngineTest, receive_returns_at_its_timeout) {
    ThreadedMessenger engine = open_engine();
    EXPECT_FALSE(engine.receive(0));
    const Instant before = now();
    EXPECT_FALSE(engine.receive(5 * millisecond));
    EXPECT_FALSE(engine.next_outcome(5 * millisecond));
    EXPECT_GE(now(), before + 10 * millisecond);
}

TEST_P(EngineTest, every_send_wakes_a_sleeping_engine) {
    // Each send finds both loops asleep or about to sleep, because the previous one has ended: a lost wake-up hangs.
    auto chosen = options();
    chosen.engine.wait = WaitMode::block;
    ThreadedMessenger source = open_engine(chosen), target = open_engine(chosen);
    const std::uint32_t count = 500 * scale;
    std::thread receiver([&] {
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto message = target.receive(never);
            EXPECT_EQ(number_of(message->bytes), i);
        }
    });
    for (std::uint32_t i = 0; i < count; ++i) {
        if (i % 2 == 0) {
            ASSERT_EQ(source.send_and_wait(target.local(), as_bytes(numbered(i)), never), Outcome::confirmed);
        } else {
            ASSERT_TRUE(source.send(target.local(), as_bytes(numbered(i))));
            ASSERT_EQ(source.next_outcome(never)->result, Outcome::confirmed);
        }
    }
    receiver.join();
}

TEST_P(EngineTest, a_foreign_datagram_is_marked) {
    auto chosen = options();
    chosen.protocol.recv_from_any = true;
    ThreadedMessenger engine = open_engine(chosen);
    Peer stranger(loopback_v4());
    stranger.send("not gtUDP", engine.local());
    const auto message = engine.receive(patience);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->foreign);
    EXPECT_EQ(message->peer, stranger.local());
    EXPECT_EQ(as_text(message->bytes), "not gtUDP");
}

TEST_P(EngineTest, open_reports_the_address_in_use) {
    ThreadedMessenger first = open_engine();
    auto chosen = options();
    chosen.bind = first.local();
    const auto second = ThreadedMessenger::open(chosen);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text, "bind " + to_text(first.local()) + ": Address already in use");
    ThreadedMessenger moved = std::move(first);
    EXPECT_EQ(moved.send_and_wait(moved.local(), as_bytes("moved"), patience), Outcome::confirmed);
    moved = open_engine();
    EXPECT_EQ(moved.send_and_wait(moved.local(), as_bytes("replaced"), patience), Outcome::confirmed);
}

RINGPOST_ON_BOTH_BACKENDS(EngineTest);

}  // namespace
}  // namespace ringpost::test
