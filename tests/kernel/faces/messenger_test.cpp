// gtudp::Messenger on both backends.

#include <thread>

#include "engine/faces/fresh_options.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

using gtudp::Event, gtudp::Messenger, gtudp::Outcome;

class MessengerTest : public OnBackend {
  protected:
    /// Polls `messengers` in turn until `done` returns true. False on timeout.
    template <class Done>
    static bool poll_until(std::initializer_list<Messenger*> messengers, const Messenger::Handler& handler, Done done) {
        for (const Instant give_up = now() + patience; !done();) {
            if (now() > give_up) return false;
            for (Messenger* each : messengers) each->poll(messengers.size() > 1 ? 0 : give_up - now(), handler);
        }
        return true;
    }
};

TEST_P(MessengerTest, sends_to_itself) {
    Messenger messenger = open_messenger();
    EXPECT_STREQ(messenger.backend(), backend_name({GetParam(), 0}).c_str());
    EXPECT_EQ(messenger.note(), "");
    const auto id = messenger.send(messenger.local(), as_bytes("hello")).value();
    EXPECT_EQ(messenger.in_flight(), 1u);
    std::vector<std::string> texts;
    std::vector<Outcome> outcomes;
    const auto handler = [&](const Event& event) {
        if (event.kind == Event::Kind::message) {
            EXPECT_EQ(event.peer, messenger.local());
            texts.emplace_back(as_text(event.bytes));
        } else {
            EXPECT_EQ(event.id, id);
            outcomes.push_back(event.outcome);
        }
    };
    ASSERT_TRUE(poll_until({&messenger}, handler, [&] { return !texts.empty() && !outcomes.empty(); }));
    EXPECT_EQ(texts, std::vector<std::string>{"hello"});
    EXPECT_EQ(outcomes, std::vector{Outcome::confirmed});
    EXPECT_EQ(messenger.counters().confirmed, 1u);
    EXPECT_GT(messenger.engine_counters().sent, 0u);
    EXPECT_EQ(messenger.in_flight(), 0u);
}

TEST_P(MessengerTest, wake_ends_the_poll_under_way_or_the_next_one) {
    for (const WaitMode mode : {WaitMode::block, WaitMode::adaptive}) {
        auto chosen = options();
        chosen.engine.wait = mode;
        Messenger messenger = open_messenger(chosen);
        const Messenger::Handler handler = [](const Event&) {};
        messenger.poll(0, handler);
        for (int i = 0; i < 20; ++i) {
            const Instant give_up = now() + patience;
            messenger.wake();
            EXPECT_FALSE(messenger.poll(patience, handler));
            ASSERT_LT(now(), give_up) << "the wake-up before poll() was lost";
        }
        std::thread waking([&] { messenger.wake(); });
        const Instant give_up = now() + patience;
        EXPECT_FALSE(messenger.poll(patience, handler));
        EXPECT_LT(now(), give_up);
        waking.join();
    }
}

TEST_P(MessengerTest, all_sizes_arrive_once_in_every_wait_mode) {
    for (const WaitMode mode : {WaitMode::block, WaitMode::spin, WaitMode::adaptive}) {
        auto chosen = options();
        chosen.engine.wait = mode;
        Messenger source = open_messenger(chosen), target = open_messenger(chosen);
        constexpr std::uint32_t count = 100;
        const auto size_of = [](std::uint32_t i) { return i % 10 == 9 ? 60'000u : 4 + i * 13u; };
        for (std::uint32_t i = 0; i < count; ++i)
            ASSERT_TRUE(source.send(target.local(), as_bytes(numbered(i, size_of(i)))));
        std::vector<std::uint32_t> seen(count, 0);
        std::uint32_t confirmed = 0;
        const auto handler = [&](const Event& event) {
            if (event.kind == Event::Kind::outcome) {
                confirmed += event.outcome == Outcome::confirmed ? 1 : 0;
                return;
            }
            const std::uint32_t number = number_of(event.bytes);
            ASSERT_LT(number, count);
            ++seen[number];
            EXPECT_EQ(as_text(event.bytes), numbered(number, size_of(number)));
        };
        ASSERT_TRUE(poll_until({&source, &target}, handler, [&] { return confirmed == count; }));
        EXPECT_EQ(seen, std::vector<std::uint32_t>(count, 1));
        EXPECT_GT(source.rtt(target.local()), 0);
    }
}

TEST_P(MessengerTest, a_handler_may_send_the_event_bytes) {
    Messenger asking = open_messenger(), echoing = open_messenger();
    const std::string question = numbered(7, 60'000);
    ASSERT_TRUE(asking.send(echoing.local(), as_bytes(question)));
    std::string answer;
    const Messenger::Handler handler = [&](const Event& event) {
        if (event.kind != Event::Kind::message) return;
        if (event.peer == asking.local()) {
            EXPECT_TRUE(echoing.send(event.peer, event.bytes));
            EXPECT_EQ(as_text(event.bytes), question) << "the bytes are invalid after send()";
        } else {
            answer = as_text(event.bytes);
        }
    };
    ASSERT_TRUE(poll_until({&asking, &echoing}, handler, [&] { return !answer.empty(); }));
    EXPECT_EQ(answer, question);
}

TEST_P(MessengerTest, an_unanswered_send_ends_at_its_deadline_or_when_cancelled) {
    const Peer silent(loopback_v4());
    Messenger messenger = open_messenger();
    const Instant deadline = now() + 20 * millisecond;
    const auto late = messenger.send(silent.local(), as_bytes("late"), deadline).value();
    const auto cancelled = messenger.send(silent.local(), as_bytes("cancelled")).value();
    EXPECT_TRUE(messenger.cancel(cancelled));
    EXPECT_FALSE(messenger.cancel(cancelled));
    std::vector<std::pair<std::uint32_t, Outcome>> ended;
    const auto handler = [&](const Event& event) {
        EXPECT_TRUE(event.id == cancelled || now() >= deadline);
        ended.emplace_back(event.id.index, event.outcome);
    };
    ASSERT_TRUE(poll_until({&messenger}, handler, [&] { return ended.size() == 2; }));
    EXPECT_EQ(ended, (std::vector<std::pair<std::uint32_t, Outcome>>{{cancelled.index, Outcome::cancelled},
                                                                     {late.index, Outcome::gave_up_deadline}}));
}

TEST_P(MessengerTest, poll_returns_at_its_timeout) {
    Messenger messenger = open_messenger();
    const auto nothing = [](const Event&) { ADD_FAILURE(); };
    EXPECT_FALSE(messenger.poll(0, nothing));
    const Instant deadline = now() + 5 * millisecond;
    EXPECT_FALSE(messenger.poll(5 * millisecond, nothing));
    EXPECT_GE(now(), deadline);
}

TEST_P(MessengerTest, poll_with_timeout_0_delivers_what_is_in_the_socket) {
    auto chosen = options();
    chosen.protocol.recv_from_any = true;
    Messenger messenger = open_messenger(chosen);
    Peer stranger(loopback_v4());
    for (int i = 0; i < 20; ++i) {
        stranger.send("not gtUDP", messenger.local());
        // Loopback delivers before the send returns.
        std::string received;
        const auto handler = [&](const Event& event) {
            EXPECT_EQ(event.kind, Event::Kind::foreign);
            EXPECT_EQ(event.peer, stranger.local());
            received = as_text(event.bytes);
        };
        ASSERT_TRUE(messenger.poll(0, handler));
        EXPECT_EQ(received, "not gtUDP");
        EXPECT_TRUE(messenger.send_raw(stranger.local(), as_bytes("as it is")));
        messenger.poll(0, [](const Event&) {});
        EXPECT_EQ(stranger.receive_texts(1), std::vector<std::string>{"as it is"});
    }
}

TEST_P(MessengerTest, open_reports_the_address_in_use) {
    Messenger first = open_messenger();
    auto chosen = options();
    chosen.bind = first.local();
    const auto second = Messenger::open(chosen);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text, "bind " + to_text(first.local()) + ": Address already in use");
}

TEST(FreshOptions, have_random_keys_seeds_and_identities) {
    const gtudp::Options a = fresh_options(gtudp::ProtocolOptions{}, {}), b = fresh_options(a, {});
    EXPECT_FALSE(a.key.k0 == b.key.k0 && a.key.k1 == b.key.k1);
    EXPECT_FALSE(a.seed == b.seed && a.first_identity == b.first_identity);
}

RINGPOST_ON_BOTH_BACKENDS(MessengerTest);

}  // namespace
}  // namespace ringpost::test
