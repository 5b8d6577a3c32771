// Connections of the native transport on both backends: a server on a thread of its own, and clients.

#include <fcntl.h>
#include <poll.h>

#include <atomic>
#include <functional>
#include <ringpost/connection.hpp>
#include <thread>

#include "codec/crypto/keys.hpp"
#include "codec/crypto/noise.hpp"
#include "tests/kernel/faces/native_face.hpp"

namespace ringpost::test {
namespace {

using ConnectionEventKind = ConnectionEvent::Kind;

/// A server on a thread of its own until the end of this object.
class ServerThread {
  public:
    using OnEvent = std::function<void(Server&, const ConnectionEvent&)>;

    ServerThread(const ListenOptions& options, const OnEvent& on_event, const Address& bind = loopback_v4(),
                 const std::function<void(Server&)>& prepare = {}) {
        std::atomic<bool> open{false};
        thread_ = std::thread([this, options, on_event, bind, prepare, &open] {
            auto server = listen(bind, options);
            if (server && prepare) prepare(*server);
            if (server) {
                local_ = server->local();
                server_ = &*server;
            } else {
                error_ = server.error().text;
            }
            open = true;
            open.notify_one();
            while (server && !stopped_)
                if (const auto event = server->next(never)) on_event(*server, *event);
            may_end_.wait(false);  // stop() wakes the server
        });
        open.wait(false);
    }
    ~ServerThread() { stop(); }
    void stop() {
        if (!thread_.joinable()) return;
        stopped_ = true;
        if (server_ != nullptr) server_->wake();
        may_end_ = true;
        may_end_.notify_one();
        thread_.join();
    }
    const Address& local() const { return local_; }
    const std::string& error() const { return error_; }

  private:
    std::thread thread_;
    std::atomic<bool> stopped_{false}, may_end_{false};
    Server* server_ = nullptr;
    Address local_{};
    std::string error_;
};

/// Returns each message on its channel.
void echo_messages(Server& server, const ConnectionEvent& event) {
    if (event.kind != ConnectionEventKind::messages) return;
    for (const Message& message : event.messages)
        EXPECT_EQ(server.send(event.connection, message.channel, message.bytes), SendResult::queued);
}

TEST_P(NativeFace, messages_there_and_back_and_an_orderly_end) {
    const ServerThread server(listening(), echo_messages);
    auto client = connect(server.local(), connecting()).value();
    EXPECT_EQ(client.peer(), server.local());
    EXPECT_STREQ(client.backend(), backend_name({GetParam(), 0}).c_str());
    EXPECT_NE(client.cipher(), "");
    for (const char* text : {"hello", "", "again"}) EXPECT_EQ(client.send(3, as_bytes(text)), SendResult::queued);
    std::vector<std::string> texts;
    std::vector<std::uint64_t> numbers;
    while (texts.size() < 3) {
        const auto messages = client.receive(patience);
        ASSERT_TRUE(messages.has_value());
        EXPECT_EQ(messages->channel(), 3);
        for (const Message& message : *messages) {
            texts.emplace_back(as_text(message.bytes));
            numbers.push_back(message.number);
        }
    }
    EXPECT_EQ(texts, (std::vector<std::string>{"hello", "", "again"}));
    EXPECT_EQ(numbers, (std::vector<std::uint64_t>{0, 1, 2}));
    EXPECT_FALSE(client.outcome().has_value());
    const CloseOutcome outcome = client.close(patience);
    EXPECT_TRUE(outcome.all_delivered) << to_text(outcome.code);
    EXPECT_EQ(outcome.unconfirmed, 0u);
    EXPECT_EQ(client.send(0, as_bytes("late")), SendResult::closed);
    EXPECT_FALSE(client.receive(patience).has_value());
    EXPECT_EQ(client.outcome()->code, native::CloseCode::done);
    EXPECT_GE(client.statistics().packets_sent, 2u);
    EXPECT_GT(client.path().rtt_min, 0);
}

TEST_P(NativeFace, every_kind_of_keys) {
    const std::string server_public = crypto::key_text(crypto::key_pair_of(secret_of(2)).public_key);
    const std::string client_public = crypto::key_text(crypto::key_pair_of(secret_of(3)).public_key);
    const KeyTextFile allowed(client_public + " pump-1\n"), strangers(server_public + " other\n");
    const KeyTextFile psk(crypto::key_text(secret_of(4)) + "\n", 0600);
    struct Case {
        Keys server, client;
        bool insecure;
        std::string name;  ///< of the client at the server; "-": it is refused
    };
    const Keys server_pair = Keys::pair(secret_of(2)), client_pair = Keys::pair(secret_of(3));
    const Case cases[] = {
        {Keys::shared(secret_of(1)), Keys::shared(secret_of(1)), false, ""},
        {Keys::shared(secret_of(1)), Keys::shared(secret_of(9)), false, "-"},
        {server_pair, Keys::none().peer(server_public), false, ""},
        {server_pair, Keys::none().peer(client_public), false, "-"},
        {server_pair, client_pair.peer(server_public), false, ""},
        {server_pair.allow(allowed.path()), client_pair.peer(server_public), false, "pump-1"},
        {server_pair.allow(strangers.path()), client_pair.peer(server_public), false, "-"},
        {server_pair.allow(allowed.path()).with_shared(psk.path()),
         client_pair.peer(server_public).with_shared(psk.path()), false, "pump-1"},
        {server_pair.allow(allowed.path()).with_shared(psk.path()), client_pair.peer(server_public), false, "-"},
        {Keys::none(), Keys::none(), true, ""},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(&each - cases);
        std::string name = "?";
        ListenOptions wanted = listening(each.server);
        wanted.insecure = each.insecure;
        ServerThread server(wanted, [&](Server& of, const ConnectionEvent& event) {
            if (event.kind == ConnectionEventKind::opened) name = of.peer_name(event.connection);
            echo_messages(of, event);
        });
        ASSERT_EQ(server.error(), "");
        ConnectOptions asked = connecting(each.client);
        asked.insecure = each.insecure;
        if (each.name == "-") asked.timeout = 100 * millisecond;
        auto client = connect(server.local(), asked);
        if (each.name == "-") {
            ASSERT_FALSE(client.has_value());
            EXPECT_NE(client.error().text.find("no answer from a server with these keys"), std::string::npos);
            continue;
        }
        ASSERT_TRUE(client.has_value()) << client.error().text;
        client->send(0, as_bytes("who am I?"));
        EXPECT_TRUE(client->receive(patience).has_value());
        client->close(patience);
        server.stop();
        EXPECT_EQ(name, each.name);
    }
}

TEST_P(NativeFace, an_insecure_end_and_a_sealed_one_do_not_meet) {
    const ServerThread server(listening(), echo_messages);
    ConnectOptions asked = connecting();
    asked.insecure = true;
    asked.timeout = 100 * millisecond;
    EXPECT_FALSE(connect(server.local(), asked).has_value());
}

TEST_P(NativeFace, a_closed_port_is_found_at_once) {
    const Address closed = UdpSocket::open(bound_to(loopback_v4())).value().local();
    const Instant give_up = now() + patience;
    const auto client = connect(closed, connecting());
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(client.error().code, ECONNREFUSED);
    EXPECT_LT(now(), give_up);
}

TEST_P(NativeFace, large_messages_wait_for_space) {
    ListenOptions wanted = listening();
    wanted.protocol.channel_window = wanted.protocol.connection_window = 8u << 20;
    wanted.protocol.message_bytes_max = 4u << 20;
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;
    ServerThread server(wanted, [&](Server&, const ConnectionEvent& event) {
        if (event.kind != ConnectionEventKind::messages) return;
        for (const Message& message : event.messages) {
            EXPECT_EQ(number_of(message.bytes), count++);
            bytes += message.bytes.size();
        }
    });
    ConnectOptions asked = connecting();
    asked.protocol.send_log_bytes = 4u << 20;
    auto client = connect(server.local(), asked).value();
    std::uint64_t sent = 0;
    for (std::uint32_t i = 0; i < scale; ++i) {
        const std::string text = numbered(i, 1'000'000 + i);
        EXPECT_EQ(client.send(0, as_bytes(text), patience), SendResult::queued);
        sent += text.size();
    }
    EXPECT_EQ(client.send(0, as_bytes(std::string(5u << 20, 'x'))), SendResult::too_large);
    EXPECT_EQ(client.send(8, as_bytes("x")), SendResult::unknown_channel);
    EXPECT_TRUE(client.flush(patience));
    EXPECT_TRUE(client.close(patience).all_delivered);
    server.stop();
    EXPECT_EQ(count, scale);
    EXPECT_EQ(bytes, sent);
}

TEST_P(NativeFace, messages_written_in_place) {
    const ServerThread server(listening(), echo_messages);
    auto client = connect(server.local(), connecting()).value();
    constexpr std::size_t count = 100, message_bytes = 8;
    const native::Reserved space = client.reserve(2, message_bytes, count);
    ASSERT_EQ(space.count, count);
    for (std::uint32_t i = 0; i < count; ++i) std::memcpy(space.at + i * space.stride, &i, sizeof i);
    client.commit(2, count);
    EXPECT_EQ(client.reserve(99, message_bytes, 1).count, 0u);
    for (std::uint32_t received = 0; received < count;) {
        const auto messages = client.receive(patience);
        ASSERT_TRUE(messages.has_value());
        for (const Message& message : *messages) EXPECT_EQ(number_of(message.bytes), received++);
    }
}

TEST_P(NativeFace, batches_arrive_in_order_at_the_handler) {
    constexpr std::uint32_t message_bytes = 64, batch = 1'000;
    const std::uint32_t count = scale * 10 * batch;
    ServerThread server(listening(), [&](Server& of, const ConnectionEvent& event) {
        if (event.kind != ConnectionEventKind::opened) return;
        std::vector<std::byte> messages(std::size_t{batch} * message_bytes);
        std::uint32_t sent = 0, queued = 0;
        const Server::Handler ignore = [](const ConnectionEvent&) {};
        while (sent < count) {
            for (std::uint32_t i = 0; i < batch; ++i) {
                const std::uint32_t number = sent + i;
                std::memcpy(&messages[std::size_t{i} * message_bytes], &number, sizeof number);
            }
            const std::size_t left = std::min<std::size_t>(batch, count - sent);
            queued = static_cast<std::uint32_t>(
                of.send_many(event.connection, 1, std::span(messages).first(left * message_bytes), message_bytes));
            sent += queued;
            of.poll(queued == 0 ? 10 * millisecond : 0, ignore);
        }
        of.close(event.connection, never);
    });
    auto client = connect(server.local(), connecting()).value();
    std::uint32_t received = 0;
    std::optional<CloseOutcome> end;
    const Connection::Handler handler = [&](const ConnectionEvent& event) {
        if (event.kind == ConnectionEventKind::closed) end = event.outcome;
        if (event.kind == ConnectionEventKind::messages)
            event.messages.for_each([&](std::span<const std::byte> message) {
                EXPECT_EQ(number_of(message), received);
                ++received;
            });
    };
    for (const Instant give_up = now() + patience; !end && now() < give_up;) client.poll(patience, handler);
    EXPECT_EQ(received, count);
    ASSERT_TRUE(end.has_value());
    EXPECT_TRUE(end->by_peer);
    EXPECT_EQ(client.outcome()->code, native::CloseCode::done);
}

TEST_P(NativeFace, a_server_that_goes_closes_its_connections) {
    auto server = std::make_unique<ServerThread>(listening(), echo_messages);
    auto client = connect(server->local(), connecting()).value();
    // The server has the connection once it has received a packet.
    EXPECT_EQ(client.send(0, as_bytes("hello")), SendResult::queued);
    ASSERT_TRUE(client.receive(patience).has_value());
    server.reset();
    EXPECT_FALSE(client.receive(patience).has_value());
    ASSERT_TRUE(client.outcome().has_value());
    EXPECT_TRUE(client.outcome()->by_peer);
}

TEST_P(NativeFace, wake_ends_a_receive) {
    const ServerThread server(listening(), echo_messages);
    auto client = connect(server.local(), connecting()).value();
    const Instant give_up = now() + patience;
    client.wake();
    EXPECT_FALSE(client.receive(patience).has_value());
    std::thread waking([&] { client.wake(); });
    EXPECT_FALSE(client.receive(patience).has_value());
    waking.join();
    EXPECT_LT(now(), give_up);
    EXPECT_FALSE(client.outcome().has_value());
}

TEST_P(NativeFace, a_foreign_loop_needs_one_descriptor) {
    const ServerThread server(listening(), echo_messages);
    auto client = connect(server.local(), connecting()).value();
    const int fd = client.fd();
    EXPECT_EQ(client.send(0, as_bytes("hello")), SendResult::queued);
    std::string text;
    const Connection::Handler handler = [&](const ConnectionEvent& event) {
        if (event.kind == ConnectionEventKind::messages) text = as_text((*event.messages.begin()).bytes);
    };
    for (const Instant give_up = now() + patience; text.empty() && now() < give_up;) {
        pollfd wait{fd, POLLIN, 0};
        const Duration left = std::clamp<Duration>(client.next_deadline() - now(), 0, patience);
        ::poll(&wait, 1, static_cast<int>((left + millisecond - 1) / millisecond));
        client.poll(0, handler);
    }
    EXPECT_EQ(text, "hello");
}

TEST_P(NativeFace, another_list_of_clients) {
    const std::string server_public = crypto::key_text(crypto::key_pair_of(secret_of(2)).public_key);
    const std::string client_public = crypto::key_text(crypto::key_pair_of(secret_of(3)).public_key);
    const KeyTextFile nobody(""), allowed(client_public + " pump-1\n"), broken("pump-1\n");
    std::string name;
    ServerThread server(
        listening(Keys::pair(secret_of(2)).allow(nobody.path())),
        [&](Server& of, const ConnectionEvent& event) {
            if (event.kind == ConnectionEventKind::opened) name = of.peer_name(event.connection);
            echo_messages(of, event);
        },
        loopback_v4(),
        [&](Server& of) {
            EXPECT_FALSE(of.allow(broken.path()).has_value());
            EXPECT_TRUE(of.allow(allowed.path()).has_value());
        });
    auto client = connect(server.local(), connecting(Keys::pair(secret_of(3)).peer(server_public))).value();
    EXPECT_EQ(client.send(0, as_bytes("hello")), SendResult::queued);
    EXPECT_TRUE(client.receive(patience).has_value());
    server.stop();
    EXPECT_EQ(name, "pump-1");
    auto everybody = listen(loopback_v4(), listening()).value();
    EXPECT_EQ(everybody.allow(allowed.path()).error().text, "keys: this server accepts every client that has the keys");
}

TEST(NativeFaceUse, what_open_refuses) {
    const auto error_of = [](ConnectOptions options) {
        const auto client = connect(Address::v4(127, 0, 0, 1, 9), options);
        return client ? std::string("opened") : client.error().text;
    };
    const Keys keys = Keys::shared(secret_of(1));
    EXPECT_EQ(error_of({}), "keys: a client needs a shared secret, or the server's public key");
    EXPECT_EQ(error_of({.keys = Keys::pair(secret_of(1))}),
              "keys: a client with a key pair needs the server's public key");
    EXPECT_EQ(error_of({.keys = Keys::shared("/nowhere/a.psk")}), "/nowhere/a.psk: No such file or directory");
    EXPECT_EQ(error_of({.keys = keys.peer("abc")}), "the peer's public key: line 1: the key is not base64");
    EXPECT_EQ(error_of({.keys = keys, .timeout = 0}), "timeout 0: must be from 1 to 72057594037927936");
    EXPECT_EQ(error_of({.keys = keys, .protocol = {.channels = 0}}), "protocol.channels 0: must be from 1 to 255");
    EXPECT_EQ(error_of({.keys = keys, .protocol = {.send_log_bytes = 5'000}}),
              "protocol.send_log_bytes 5000: must be a power of two from 1 to 1073741824");
    EXPECT_EQ(error_of({.keys = keys, .protocol = {.message_bytes_max = 2u << 20}}),
              "protocol.message_bytes_max 2097152: must be from 1 to 1048560");
    EXPECT_EQ(error_of({.keys = keys, .protocol = {.datagram_bytes = 1'000}}),
              "protocol.datagram_bytes 1000: must be from 1200 to 16384");
    EXPECT_EQ(error_of({.keys = keys, .application = std::string(65, 'x')}),
              "application: must be UTF-8 of at most 64 bytes");
    EXPECT_EQ(connect(Address::v4(127, 0, 0, 1, 0), {.keys = keys}).error().text,
              "connect 127.0.0.1:0: no address or no port");
    EXPECT_EQ(connect("[::1]", {.keys = keys}).error().code, EINVAL);
    const auto refused = [](const ListenOptions& options) { return listen("127.0.0.1:0", options).error().text; };
    EXPECT_EQ(refused({}), "keys: a server needs a shared secret, or a key pair");
    EXPECT_EQ(refused({.keys = keys.peer(crypto::key_text(secret_of(7)))}),
              "keys: the server's public key is a client's");
    EXPECT_EQ(refused({.keys = keys, .connections_max = 3}),
              "connections_max 3: must be a power of two from 1 to 1048576");
    EXPECT_EQ(refused({.keys = keys, .handshakes_per_second = 0}),
              "handshakes_per_second 0: must be from 1 to 4294967295");
}

TEST(NativeFaceUse, a_key_file_that_others_can_read_is_refused) {
    const KeyTextFile open(crypto::key_text(secret_of(1)) + "\n", 0644);
    const auto client = connect(Address::v4(127, 0, 0, 1, 9), {.keys = Keys::shared(open.path())});
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(client.error().text, open.path() + ": its mode is 0644, so that others can use the key; set it to 0600");
}

TEST(NativeFaceUse, an_object_that_was_moved_from_and_one_of_another_thread) {
    auto server = listen("127.0.0.1:0", {.keys = Keys::shared(secret_of(1))}).value();
    EXPECT_TRUE(server.usable());
    EXPECT_GT(server.memory_bytes(), 0u);
    std::thread([&] { EXPECT_FALSE(server.usable()); }).join();
    const Server moved = std::move(server);
    EXPECT_FALSE(server.usable());  // NOLINT(bugprone-use-after-move)
    EXPECT_DEATH((void)server.local(), "moved from");
}

RINGPOST_ON_BOTH_BACKENDS(NativeFace);

}  // namespace
}  // namespace ringpost::test
