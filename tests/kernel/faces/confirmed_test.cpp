// confirmed::Messenger on both backends.

#include <thread>

#include <ringpost/confirmed.hpp>
#include "engine/faces/fresh_options.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::confirmed {
namespace {

using test::loopback_v4, test::Peer, test::patience, test::backend_name;

class ConfirmedTest : public test::OnBackend {
  protected:
    static Messenger open_messenger(const Address& target = {}, Reply reply = Reply::to_source) {
        OpenOptions options{.bind = loopback_v4(), .engine = {.backend = GetParam()}};
        options.protocol.reply = reply;
        options.protocol.target = target;
        return Messenger::open(options).value();
    }
};

TEST_P(ConfirmedTest, sends_to_itself_and_queues_messages_while_waiting) {
    Messenger messenger = open_messenger();
    EXPECT_EQ(messenger.backend(), backend_name({GetParam(), 0}));
    EXPECT_EQ(messenger.note(), "");
    const auto first = messenger.send("asynchronous", {.to = messenger.local()});
    ASSERT_TRUE(first);
    const auto answer = messenger.send_and_wait("hello", patience, messenger.local());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outcome, Outcome::confirmed);
    EXPECT_EQ(answer->message.text(), confirmed_text);
    for (const char* text : {"asynchronous", "hello"}) {
        const auto message = messenger.query(0);
        ASSERT_TRUE(message);
        EXPECT_EQ(message->message.text(), text);
        EXPECT_EQ(message->status, Status::none);
        EXPECT_EQ(message->source, messenger.local());
    }
    EXPECT_FALSE(messenger.query(0));
    std::vector<SendNumber> ended;
    EXPECT_TRUE(messenger.poll(0, [&](const Event& event) { ended.push_back(event.number); }));
    EXPECT_EQ(ended, std::vector{*first});
    EXPECT_EQ(messenger.counters().confirmed, 2u);
    EXPECT_GT(messenger.engine_counters().sent, 0u);
    EXPECT_EQ(messenger.in_flight(), 0u);
}

TEST_P(ConfirmedTest, wake_ends_a_poll_but_no_wait_for_an_outcome) {
    Peer silent(loopback_v4());
    Messenger messenger = open_messenger(silent.local());
    const Messenger::Handler handler = [](const Event&) {};
    messenger.wake();
    const auto answer = messenger.send_and_wait("no answer", 20 * millisecond);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outcome, Outcome::timed_out);
    const Instant give_up = now() + patience;
    EXPECT_FALSE(messenger.poll(patience, handler));
    EXPECT_LT(now(), give_up) << "the wake-up is kept for the next poll()";
}

TEST_P(ConfirmedTest, a_reference_peer_answers_from_another_socket) {
    Peer listening(loopback_v4()), sending(loopback_v4());
    Messenger messenger = open_messenger(listening.local(), Reply::to_port);
    std::thread peer([&] {
        for (const char* answer :
             {R"({"message": "confirmed", "status": true})", R"({"message": "disk full", "status": false})"}) {
            const auto received = listening.receive();
            if (received) sending.send(answer, messenger.local());
        }
    });
    const auto confirmed = messenger.send_and_wait("one", patience);
    const auto failed = messenger.send_and_wait(Value::of_json("[1]").value(), patience);
    peer.join();
    ASSERT_TRUE(confirmed && failed);
    EXPECT_EQ(confirmed->outcome, Outcome::confirmed);
    EXPECT_EQ(failed->outcome, Outcome::failed);
    EXPECT_EQ(failed->message.text(), "disk full");
    // Messages from the peer are confirmed at the address where it listens.
    sending.send(R"({"message": "hello", "status": null})", messenger.local());
    const auto message = messenger.query(patience);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message.text(), "hello");
    EXPECT_EQ(message->source, sending.local());
    messenger.query(0);
    EXPECT_EQ(listening.receive_texts(1), std::vector<std::string>{R"({"message":"confirmed","status":true})"});
}

TEST_P(ConfirmedTest, errors_and_timeouts) {
    const Peer silent(loopback_v4());
    Messenger messenger = open_messenger();
    EXPECT_EQ(messenger.send_and_wait("to nobody").error().reason, Refusal::no_target);
    const auto large = messenger.send_and_wait(std::string(2'000, 'x'), patience, silent.local());
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().reason, Refusal::too_large);
    EXPECT_GT(large.error().bytes, 2'000u);
    const Instant before = now();
    EXPECT_EQ(messenger.send_and_wait("hello", 5 * millisecond, silent.local())->outcome, Outcome::timed_out);
    EXPECT_GE(now(), before + 5 * millisecond);
    EXPECT_FALSE(messenger.query(5 * millisecond));
    EXPECT_GE(now(), before + 10 * millisecond);
    OpenOptions options{.bind = messenger.local(), .engine = {.backend = GetParam()}};
    EXPECT_EQ(Messenger::open(options).error().text, "bind " + to_text(messenger.local()) + ": Address already in use");
}

TEST_P(ConfirmedTest, initialize_sets_the_target) {
    Messenger asked = open_messenger(), asking = open_messenger(asked.local());
    ASSERT_TRUE(asking.send(initialize_text));
    std::string answer;
    const auto handler = [&](const Event& event) {
        if (event.kind == Event::Kind::outcome) answer = event.message.text();
    };
    for (const Instant give_up = now() + patience; answer.empty() && now() < give_up;) {
        asking.poll(0, handler);
        asked.poll(0, handler);
    }
    EXPECT_EQ(answer, initialized_text);
    EXPECT_EQ(asked.target(), asking.local());
}

RINGPOST_ON_BOTH_BACKENDS(ConfirmedTest);

TEST(ConfirmedOptions, the_key_is_random) {
    const Options a = fresh_options(ProtocolOptions{}), b = fresh_options(a);
    EXPECT_FALSE(a.key.k0 == b.key.k0 && a.key.k1 == b.key.k1);
}

}  // namespace
}  // namespace ringpost::confirmed
