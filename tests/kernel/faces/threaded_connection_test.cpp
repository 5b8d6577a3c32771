// ThreadedConnection and ThreadedServer on both backends, used by several threads at once.

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <ringpost/threaded_connection.hpp>
#include "tests/kernel/faces/native_face.hpp"

namespace ringpost::test {
namespace {

using ThreadedEventKind = ConnectionEvent::Kind;
using native::CloseCode;

class ThreadedNative : public NativeFace {
  protected:
    static ThreadedServer serve(const ListenOptions& options = listening()) {
        return ThreadedServer::listen(loopback_v4(), options).value();
    }
    static ThreadedConnection join(const ThreadedServer& server, const ConnectOptions& options = connecting()) {
        return ThreadedConnection::connect(server.local(), options).value();
    }
    /// The next event of this kind; events before it are dropped.
    static OwnedEvent next(ThreadedServer& server, ThreadedEventKind kind) {
        for (;;) {
            auto event = server.next(patience);
            if (!event) {
                ADD_FAILURE() << "no event of kind " << static_cast<int>(kind);
                return {};
            }
            if (event->kind == kind) return std::move(*event);
        }
    }
};

std::vector<std::thread> run_threads(unsigned count, const std::function<void(unsigned)>& run) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) threads.emplace_back(run, i);
    return threads;
}

void join_all(std::vector<std::thread>& threads) {
    for (std::thread& thread : threads) thread.join();
}

/// A client on its own thread, and a server that has accepted it on this one.
class PolledServer : public ThreadedNative {
  protected:
    void SetUp() override {
        server.emplace(listen(loopback_v4(), listening()).value());
        ConnectOptions options = connecting();
        options.protocol.acknowledgements = true;
        std::thread joining(
            [&, to = server->local()] { client.emplace(ThreadedConnection::connect(to, options).value()); });
        const auto opened = server->next(patience);
        EXPECT_TRUE(opened && opened->kind == ThreadedEventKind::opened);
        joining.join();
    }
    /// Sends, and waits until the messages have left.
    void send(int messages) {
        const std::vector<std::byte> message(1'000);  // a packet
        const std::uint64_t sent = client->statistics().packets_sent + static_cast<std::uint64_t>(messages);
        for (int i = 0; i < messages; ++i) EXPECT_EQ(client->send(0, message), SendResult::queued);
        while (client->statistics().packets_sent < sent) std::this_thread::yield();
    }

    std::optional<Server> server;
    std::optional<ThreadedConnection> client;
};

TEST_P(PolledServer, works_while_it_takes_one_event_at_a_time) {
    send(8);
    const auto first = server->next(patience);
    ASSERT_TRUE(first);
    const std::uint64_t received = server->statistics(first->connection).packets_received;
    send(2);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(server->next(0));
    EXPECT_GE(server->statistics(first->connection).packets_received, received + 2);
}

TEST_P(PolledServer, has_nothing_due_when_nothing_happens) {
    send(1);
    while (server->next(50 * millisecond)) continue;
    EXPECT_GT(server->next_deadline(), now());
}
RINGPOST_ON_BOTH_BACKENDS(PolledServer);

TEST_P(ThreadedNative, options_for_other_networks) {
    for (const native::ProtocolOptions& protocol :
         {native::ProtocolOptions::lan(), native::ProtocolOptions::at_rate(1e9)}) {
        ListenOptions there = listening();
        ConnectOptions here = connecting();
        there.protocol = here.protocol = protocol;
        here.application = "a test";
        ThreadedServer server = serve(there);
        ThreadedConnection client = join(server, here);
        const std::vector<std::byte> large(protocol.send_log_bytes - 9);
        EXPECT_EQ(client.send(0, large), SendResult::queued);
        const OwnedEvent got = next(server, ThreadedEventKind::messages);
        EXPECT_EQ(got.messages.begin()->bytes.size(), large.size());
        EXPECT_EQ(server.peer_application(got.connection), "a test");
        server.close(got.connection, now() + patience, 300, "so long");
        EXPECT_FALSE(client.receive(patience));
        EXPECT_EQ(client.close_reason(), "so long");
        EXPECT_EQ(client.outcome()->code, CloseCode{300});
        const OwnedEvent closed = next(server, ThreadedEventKind::closed);
        EXPECT_EQ(closed.reason, "");
        EXPECT_GT(server.statistics().packets_received, 0u);
    }
}

TEST_P(ThreadedNative, a_session_and_what_the_peer_has) {
    const auto token = std::as_bytes(std::span("0123456789abcdef", 16));
    ListenOptions options = listening(Keys::none());
    options.sessions_max = 1;
    ThreadedServer server = serve(options);
    EXPECT_EQ(server.add_session("", token).error().code, EINVAL);
    ASSERT_TRUE(server.add_session("alice", token));
    EXPECT_EQ(server.add_session("alice", token).error().code, EEXIST);
    EXPECT_EQ(server.add_session("bob", token).error().text, "session: as many as sessions_max");
    ConnectOptions with_token = connecting(Keys::session("alice", token));
    with_token.protocol.acknowledgements = true;
    ThreadedConnection client = join(server, with_token);
    EXPECT_EQ(client.send(2, as_bytes("hello")), SendResult::queued);
    EXPECT_EQ(server.peer_name(next(server, ThreadedEventKind::messages).connection), "alice");
    const auto event = client.next(patience);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, ThreadedEventKind::acknowledged);
    EXPECT_EQ(event->channel, 2);
    EXPECT_EQ(event->acknowledged, 1u);
    EXPECT_TRUE(server.remove_session("alice"));
    EXPECT_FALSE(server.remove_session("alice"));
    with_token.timeout = 50 * millisecond;
    EXPECT_FALSE(ThreadedConnection::connect(server.local(), with_token));
    EXPECT_EQ(ThreadedServer::listen(loopback_v4(), listening(with_token.keys)).error().text,
              "keys: a session is a client's");
    EXPECT_EQ(connect(server.local(), connecting(Keys::session("alice", token.first(15)))).error().text,
              "session: a token has at least 16 bytes");
}

// Two threads take events, and answer each message on its channel; four threads send, two of them on one channel.
TEST_P(ThreadedNative, messages_of_many_threads_there_and_back) {
    constexpr std::uint32_t senders = 4, each = 500 * scale;
    ThreadedServer server = serve();
    std::atomic<std::uint32_t> closed{0};
    auto serving = run_threads(2, [&](unsigned) {
        while (const auto event = server.next(never)) {
            closed += event->kind == ThreadedEventKind::closed ? 1 : 0;
            if (event->kind != ThreadedEventKind::messages) continue;
            for (const Message& message : event->messages)
                EXPECT_EQ(server.send(event->connection, message.channel, message.bytes, patience), SendResult::queued);
        }
    });
    ThreadedConnection client = join(server);
    EXPECT_EQ(client.peer(), server.local());
    EXPECT_STREQ(client.backend(), backend_name({GetParam(), 0}).c_str());
    EXPECT_NE(client.cipher(), "");
    auto sending = run_threads(senders, [&](unsigned id) {
        for (std::uint32_t i = 0; i < each; ++i)
            ASSERT_EQ(client.send(id / 2, as_bytes(numbered(id * each + i)), patience), SendResult::queued);
    });
    std::vector<std::uint32_t> seen(std::size_t{senders} * each);
    for (std::uint32_t received = 0; received < senders * each;) {
        const auto messages = client.receive(patience);
        ASSERT_TRUE(messages.has_value()) << received;
        for (const Message& message : *messages) {
            const std::uint32_t number = number_of(message.bytes);
            ++seen.at(number);
            EXPECT_EQ(message.channel, number / each / 2);
        }
        received += static_cast<std::uint32_t>(messages->size());
    }
    join_all(sending);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1u), static_cast<std::ptrdiff_t>(seen.size()));
    EXPECT_EQ(server.connections(), 1u);
    EXPECT_GE(client.statistics().packets_sent, 2u);
    EXPECT_GT(client.path().rtt_min, 0);
    EXPECT_GT(client.engine_counters().received, 0u);
    const CloseOutcome outcome = client.close(patience);
    EXPECT_TRUE(outcome.all_delivered) << to_text(outcome.code);
    EXPECT_EQ(client.send(0, as_bytes("late")), SendResult::closed);
    EXPECT_FALSE(client.receive(0).has_value());
    EXPECT_EQ(client.outcome()->code, CloseCode::done);
    server.stop(patience);
    join_all(serving);
    EXPECT_EQ(closed, 1u);
    EXPECT_EQ(server.counters().opened, 1u);
}

// The messages of one thread on one channel arrive in their order, whatever the others do.
TEST_P(ThreadedNative, each_channel_is_in_order) {
    constexpr std::uint32_t each = 2'000 * scale;
    ThreadedServer server = serve();
    ThreadedConnection client = join(server);
    auto sending = run_threads(3, [&](unsigned channel) {
        for (std::uint32_t i = 0; i < each; ++i)
            ASSERT_EQ(client.send(channel, as_bytes(numbered(i)), patience), SendResult::queued);
    });
    std::array<std::uint32_t, 3> next_number{};
    for (std::uint32_t received = 0; received < 3 * each;) {
        const OwnedEvent event = next(server, ThreadedEventKind::messages);
        ASSERT_GT(event.messages.size(), 0u);
        for (const Message& message : event.messages) {
            EXPECT_EQ(message.number, next_number.at(event.channel));
            EXPECT_EQ(number_of(message.bytes), next_number.at(event.channel)++);
        }
        received += static_cast<std::uint32_t>(event.messages.size());
    }
    join_all(sending);
}

TEST_P(ThreadedNative, messages_of_every_size_and_many_at_once) {
    ListenOptions options = listening();
    options.received_bytes_max = 0;  // room for one message
    ThreadedServer server = serve(options);
    ThreadedConnection client = join(server);
    const std::array<std::size_t, 6> sizes{0, 1, 250, 1'400, 100'000, 200'000};
    auto sending = run_threads(1, [&](unsigned) {
        for (const std::size_t size : sizes)
            EXPECT_EQ(client.send(1, as_bytes(std::string(size, 'x')), patience), SendResult::queued) << size;
        EXPECT_EQ(client.send_many(2, as_bytes(std::string(6'400, 'y')), 64), 100u);
        EXPECT_EQ(client.send_many(2, as_bytes("none"), 0), 0u);
    });
    std::vector<std::size_t> received;
    for (std::size_t small = 0; received.size() < sizes.size() || small < 100;) {
        const OwnedEvent event = next(server, ThreadedEventKind::messages);
        ASSERT_GT(event.messages.size(), 0u);
        for (const Message& message : event.messages)
            event.channel == 1 ? received.push_back(message.bytes.size()) : void(small += message.bytes.size() == 64);
    }
    join_all(sending);
    EXPECT_TRUE(std::ranges::equal(received, sizes));
    EXPECT_EQ(client.send(1, as_bytes(std::string(300'000, 'z'))), SendResult::too_large) << "than the log";
    EXPECT_EQ(client.send(200, as_bytes("hello")), SendResult::unknown_channel);
}

// Nobody takes anything: memory stays bounded, the sender waits, and nothing is lost.
TEST_P(ThreadedNative, a_full_queue_holds_the_peer_back) {
    ListenOptions options = listening();
    options.received_bytes_max = 64u << 10;
    options.protocol.channel_window = options.protocol.connection_window = 128u << 10;
    options.protocol.message_bytes_max = 10'000;
    ThreadedServer server = serve(options);
    ThreadedConnection client = join(server);
    const std::string text(10'000, 'm');
    std::uint64_t sent = 0;
    for (int refused = 0; refused < 3;) {
        const Instant before = now();
        if (client.send(0, as_bytes(text), 50 * millisecond) == SendResult::queued) {
            ++sent;
            refused = 0;
        } else {
            EXPECT_GE(now(), before + 50 * millisecond);
            ++refused;
        }
    }
    EXPECT_GE(sent, 25u);  // what the log alone holds
    EXPECT_LE(sent, 60u);
    EXPECT_FALSE(client.outcome().has_value());
    auto waiting =
        run_threads(2, [&](unsigned) { EXPECT_EQ(client.send(0, as_bytes(text), patience), SendResult::queued); });
    for (std::uint64_t taken = 0; taken < sent + 2;) taken += next(server, ThreadedEventKind::messages).messages.size();
    join_all(waiting);
    EXPECT_TRUE(client.close(patience).all_delivered);
}

TEST_P(ThreadedNative, close_delivers_what_was_sent) {
    constexpr std::uint64_t count = 1'000 * scale;
    ThreadedServer server = serve();
    std::uint64_t taken = 0;
    auto serving = run_threads(1, [&](unsigned) {
        while (const auto event = server.next(never)) taken += event->messages.size();
    });
    ThreadedConnection client = join(server);
    for (std::uint64_t i = 0; i < count; ++i)
        ASSERT_EQ(client.send(0, as_bytes(numbered(1, 100)), patience), SendResult::queued);
    const CloseOutcome outcome = client.close(patience);
    EXPECT_TRUE(outcome.all_delivered) << to_text(outcome.code);
    EXPECT_EQ(outcome.unconfirmed, 0u);
    server.stop(patience);
    server.stop(patience);
    join_all(serving);
    EXPECT_EQ(taken, count);
}

// While threads send, the other end closes: each accepted message is delivered, or counted.
TEST_P(ThreadedNative, an_end_amid_sends_counts_every_message) {
    for (std::uint16_t code = 0x100; code < 0x100 + 3; ++code) {
        ThreadedServer server = serve();
        std::atomic<std::uint64_t> taken{0};
        auto serving = run_threads(1, [&, code](unsigned) {
            while (const auto event = server.next(never)) {
                taken += event->messages.size();
                if (taken > 100) server.close(event->connection, now() + patience, code, "enough");
            }
        });
        ThreadedConnection client = join(server);
        std::atomic<std::uint64_t> sent{0};
        auto sending = run_threads(2, [&](unsigned channel) {
            while (client.send(channel, as_bytes(numbered(1, 64)), patience) == SendResult::queued) ++sent;
        });
        join_all(sending);
        const CloseOutcome outcome = client.close(patience);
        EXPECT_EQ(static_cast<std::uint16_t>(outcome.code), code);
        EXPECT_TRUE(outcome.by_peer);
        server.stop(patience);
        join_all(serving);
        EXPECT_LE(taken, sent);
        EXPECT_LE(sent - taken, outcome.unconfirmed);
    }
}

TEST_P(ThreadedNative, what_was_received_can_be_taken_after_the_end) {
    ThreadedServer server = serve();
    ThreadedConnection client = join(server);
    const auto opened = next(server, ThreadedEventKind::opened);
    EXPECT_EQ(server.peer(opened.connection), client.local());
    EXPECT_EQ(server.send(opened.connection, 4, as_bytes("for later")), SendResult::queued);
    server.stop(patience);
    EXPECT_EQ(server.send(opened.connection, 4, as_bytes("too late")), SendResult::closed);
    EXPECT_TRUE(client.close(patience).by_peer);
    const auto messages = client.receive(0);
    ASSERT_TRUE(messages.has_value());
    EXPECT_EQ(as_text(messages->begin()->bytes), "for later");
    EXPECT_FALSE(client.receive(never).has_value());
    EXPECT_EQ(next(server, ThreadedEventKind::closed).connection, opened.connection);
    EXPECT_FALSE(server.next(never).has_value());
}

TEST_P(ThreadedNative, stop_ends_calls_that_wait) {
    ThreadedServer server = serve();
    ThreadedConnection client = join(server);
    const auto opened = next(server, ThreadedEventKind::opened);
    auto waiting = run_threads(4, [&](unsigned id) {
        if (id % 2 == 0) {
            while (server.next(never)) continue;
        } else {
            while (server.send(opened.connection, id, as_bytes(std::string(60'000, 'w')), never) == SendResult::queued)
                continue;
        }
    });
    server.stop(20 * millisecond);  // the client takes nothing, so its windows are full
    join_all(waiting);
    EXPECT_FALSE(client.outcome() && client.outcome()->all_delivered);
}

TEST_P(ThreadedNative, all_that_receive_learn_of_the_end) {
    ThreadedServer server = serve();
    ThreadedConnection client = join(server);
    auto receiving = run_threads(3, [&](unsigned) { EXPECT_FALSE(client.receive(never).has_value()); });
    server.close(next(server, ThreadedEventKind::opened).connection, now() + patience, 0x123, "enough");
    join_all(receiving);
    EXPECT_FALSE(client.receive(never).has_value());
    ASSERT_TRUE(client.outcome().has_value());
    EXPECT_EQ(static_cast<int>(client.outcome()->code), 0x123);
    EXPECT_EQ(client.send(0, as_bytes("late"), never), SendResult::closed);
    EXPECT_GE(client.statistics().packets_sent, 1u);
    EXPECT_GT(client.path().rtt_min, 0);
}

TEST_P(ThreadedNative, connect_fails_with_a_reason) {
    Address gone = loopback_v4();
    {
        const Peer bound(loopback_v4());
        gone = bound.local();
    }
    EXPECT_EQ(ThreadedConnection::connect(gone, connecting()).error().code, ECONNREFUSED);
    const Peer silent(loopback_v4());
    ConnectOptions options = connecting();
    options.timeout = 50 * millisecond;
    const auto timed_out = ThreadedConnection::connect(silent.local(), options);
    EXPECT_EQ(timed_out.error().code, ETIMEDOUT);
    EXPECT_NE(timed_out.error().text.find("no answer from a server with these keys"), std::string::npos);
    options.timeout = patience;
    options.cancelled = [] { return true; };
    EXPECT_EQ(ThreadedConnection::connect(silent.local(), options).error().code, ECANCELED);
    EXPECT_EQ(ThreadedConnection::connect(silent.local(), connecting(Keys::none())).error().code, EINVAL);
    EXPECT_EQ(ThreadedServer::listen("nowhere", listening()).error().code, EINVAL);
}

TEST_P(ThreadedNative, a_descriptor_is_readable_when_there_are_events) {
    ThreadedServer server = serve();
    pollfd waiting{.fd = server.fd(), .events = POLLIN, .revents = 0};
    while (server.next(0)) continue;
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
    ThreadedConnection client = join(server);
    EXPECT_EQ(::poll(&waiting, 1, static_cast<int>(patience / millisecond)), 1);
    EXPECT_EQ(server.next(0)->kind, ThreadedEventKind::opened);
    EXPECT_FALSE(server.next(0).has_value());
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
}

TEST_P(ThreadedNative, moved_objects_go_on) {
    ThreadedServer first = serve();
    ThreadedConnection client = join(first);
    ThreadedServer second(std::move(first));
    EXPECT_FALSE(first.usable());  // NOLINT(bugprone-use-after-move)
    ThreadedConnection moved(std::move(client));
    EXPECT_TRUE(moved.usable());
    EXPECT_EQ(moved.send(0, as_bytes("hello")), SendResult::queued);
    EXPECT_EQ(as_text(next(second, ThreadedEventKind::messages).messages.begin()->bytes), "hello");
}

RINGPOST_ON_BOTH_BACKENDS(ThreadedNative);

}  // namespace
}  // namespace ringpost::test
