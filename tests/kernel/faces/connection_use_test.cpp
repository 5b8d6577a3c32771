// Calls of native connections beside sending and receiving: addresses as texts, unknown connections, keys and their
// files, and a connect() that is cancelled.

#include <fcntl.h>
#include <sys/stat.h>

#include <set>

#include <ringpost/threaded_connection.hpp>
#include "codec/crypto/keys.hpp"
#include "codec/crypto/noise.hpp"
#include "engine/faces/key_files.hpp"
#include "tests/kernel/faces/native_face.hpp"

namespace ringpost::test {
namespace {

class ConnectionUse : public NativeFace {};

TEST_P(ConnectionUse, addresses_may_be_texts) {
    auto server = ThreadedServer::listen("127.0.0.1:0", listening()).value();
    auto client = connect(to_text(server.local()), connecting()).value();
    auto other = ThreadedConnection::connect(to_text(server.local()), connecting()).value();
    EXPECT_EQ(client.peer(), server.local());
    EXPECT_EQ(other.peer(), server.local());
    EXPECT_EQ(ThreadedServer::listen("127.0.0.1", listening()).error().code, EINVAL);
    EXPECT_EQ(listen("127.0.0.1", listening()).error().code, EINVAL);
    EXPECT_EQ(listen("nothing:0", listening()).error().code, EHOSTUNREACH);
    EXPECT_EQ(ThreadedConnection::connect("127.0.0.1", connecting()).error().code, EINVAL);
}

TEST_P(ConnectionUse, an_address_that_is_not_here_cannot_be_bound) {
    const Address elsewhere = Address::v4(192, 0, 2, 1, 9);
    EXPECT_EQ(listen(elsewhere, listening()).error().code, EADDRNOTAVAIL);
    EXPECT_EQ(ThreadedServer::listen(elsewhere, listening()).error().code, EADDRNOTAVAIL);
}

TEST_P(ConnectionUse, calls_on_an_open_and_on_an_ended_connection) {
    auto server = ThreadedServer::listen(loopback_v4(), listening()).value();
    auto client = connect(server.local(), connecting()).value();
    const ConnectionNumber number = server.next(patience).value().connection;
    EXPECT_EQ(server.peer(number), client.local());
    EXPECT_EQ(server.peer_name(number), "");
    EXPECT_GE(server.statistics(number).packets_received, 1u);
    EXPECT_EQ(client.send_many(0, as_bytes("aabb"), 2), 2u);
    EXPECT_EQ(client.send_many(0, as_bytes("aabb"), 0), 0u);
    EXPECT_GT(client.unacknowledged_bytes(), 0u);
    EXPECT_TRUE(client.flush(patience));
    EXPECT_EQ(client.unacknowledged_bytes(), 0u);
    EXPECT_GT(client.engine_counters().sent, 0u);
    EXPECT_TRUE(client.usable());
    client.close(patience);
    EXPECT_EQ(client.close(patience).code, native::CloseCode::done) << "again";
    EXPECT_FALSE(client.receive(patience).has_value());
    for (int i = 0; i < 10; ++i) client.poll(0, [](const ConnectionEvent&) { ADD_FAILURE() << "after the last"; });
    EXPECT_EQ(client.outcome()->code, native::CloseCode::done);
    EXPECT_EQ(client.unacknowledged_bytes(), 0u);
    EXPECT_GE(client.statistics().packets_sent, 1u);
    EXPECT_GT(client.path().rtt_min, 0);
    const ConnectionNumber unknown{.index = 1, .use = 77};
    EXPECT_EQ(server.statistics(unknown).packets_received, 0u);
    EXPECT_EQ(server.path(unknown).rtt_min, native::Path{}.rtt_min);
    EXPECT_EQ(server.send(unknown, 0, as_bytes("x")), SendResult::closed);
    EXPECT_EQ(server.send({.index = 1u << 30}, 0, as_bytes("x")), SendResult::closed);
    EXPECT_EQ(server.send_many(unknown, 0, as_bytes("x"), 1), 0u);
    server.stop(0);
    EXPECT_EQ(server.send_many(number, 0, as_bytes("x"), 1), 0u);
    server.stop(never);
}

// The destructor does nothing on another thread: the peer finds out by its idle timeout.
TEST_P(ConnectionUse, another_thread_may_destroy) {
    auto server = ThreadedServer::listen(loopback_v4(), listening()).value();
    std::optional<Connection> client(connect(server.local(), connecting()).value());
    std::optional<Server> polled(listen(loopback_v4(), listening()).value());
    EXPECT_EQ(server.next(patience).value().kind, ConnectionEvent::Kind::opened);
    std::thread([&] {
        client.reset();
        polled.reset();
    }).join();
    EXPECT_EQ(server.connections(), 1u);
}

TEST_P(ConnectionUse, a_server_knows_nothing_of_a_connection_that_is_none) {
    auto server = listen(loopback_v4(), listening()).value();
    const ConnectionNumber unknown{.index = 1, .use = 77};
    EXPECT_EQ(server.statistics(unknown).packets_received, 0u);
    EXPECT_EQ(server.path(unknown).rtt_min, native::Path{}.rtt_min);
    EXPECT_EQ(server.peer_name(unknown), "");
    EXPECT_EQ(server.send_many(unknown, 0, as_bytes("x"), 0), 0u);
    EXPECT_EQ(server.connections(), 0u);
    EXPECT_GE(server.fd(), 0);
}

TEST_P(ConnectionUse, a_connect_may_be_cancelled) {
    const Peer silent(loopback_v4());
    int asked = 0;
    ConnectOptions options = connecting();
    options.cancelled = [&] { return ++asked > 3; };
    EXPECT_EQ(connect(silent.local(), options).error().code, ECANCELED);
    asked = 0;
    const auto threaded = ThreadedConnection::connect(silent.local(), options);
    EXPECT_EQ(threaded.error().text, "connect " + to_text(silent.local()) + ": cancelled");
}

TEST_P(ConnectionUse, another_list_of_clients_for_a_threaded_server) {
    const std::string server_public = crypto::key_text(crypto::key_pair_of(secret_of(2)).public_key);
    const std::string client_public = crypto::key_text(crypto::key_pair_of(secret_of(3)).public_key);
    const KeyTextFile nobody(server_public + " other\n"), allowed(client_public + " pump-1\n");
    auto server =
        ThreadedServer::listen(loopback_v4(), listening(Keys::pair(secret_of(2)).allow(nobody.path()))).value();
    EXPECT_EQ(server.allow("/nowhere").error().code, ENOENT);
    EXPECT_TRUE(server.allow(allowed.path()));
    const auto client =
        ThreadedConnection::connect(server.local(), connecting(Keys::pair(secret_of(3)).peer(server_public)));
    ASSERT_TRUE(client.has_value()) << client.error().text;
    EXPECT_EQ(server.peer_name(server.next(patience).value().connection), "pump-1");
    EXPECT_EQ(server.peer_name({.index = 1, .use = 77}), "");
    auto open = ThreadedServer::listen(loopback_v4(), listening()).value();
    EXPECT_EQ(open.allow(allowed.path()).error().code, EINVAL);
    auto polled = listen(loopback_v4(), listening()).value();
    EXPECT_EQ(polled.allow(allowed.path()).error().code, EINVAL);
    EXPECT_EQ(polled.allow("/nowhere").error().code, ENOENT);
    auto named = listen(loopback_v4(), listening(Keys::pair(secret_of(2)).allow(allowed.path()))).value();
    std::thread joining([&, to = named.local()] {
        const auto other =
            ThreadedConnection::connect(to, connecting(Keys::pair(secret_of(3)).peer(server_public))).value();
        EXPECT_EQ(other.peer(), to);
    });
    const auto opened = named.next(patience);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(named.peer_name(opened->connection), "pump-1");
    EXPECT_GE(named.statistics(opened->connection).packets_received, 1u);
    EXPECT_GE(named.path(opened->connection).window_bytes, 1u);
    while (const auto event = named.next(patience))
        if (event->kind == ConnectionEvent::Kind::closed) break;
    joining.join();
}

RINGPOST_ON_BOTH_BACKENDS(ConnectionUse);

TEST(ConnectionTexts, each_reason_of_an_end_has_its_own) {
    using native::CloseCode;
    std::set<std::string_view> texts;
    const CloseCode codes[] = {CloseCode::done,
                               CloseCode::deadline,
                               CloseCode::idle,
                               CloseCode::malformed,
                               CloseCode::flow_control,
                               CloseCode::acknowledgement,
                               CloseCode::unknown_channel,
                               CloseCode::reset,
                               CloseCode::channels,
                               CloseCode::forgeries,
                               CloseCode{40'000}};
    for (const CloseCode code : codes) texts.insert(to_text(code));
    EXPECT_EQ(texts.size(), std::size(codes));
    EXPECT_TRUE(texts.contains("closed by the application"));
}

TEST(ConnectionKeys, those_that_do_not_fit_are_refused) {
    const std::string key = crypto::key_text(secret_of(7));
    const KeyTextFile list(key + " a\n");
    const auto client = [](const Keys& keys) { return connect("127.0.0.1:9", {.keys = keys}).error().text; };
    const auto server = [](const Keys& keys) { return listen("127.0.0.1:0", {.keys = keys}).error().text; };
    const Keys psk = Keys::shared(secret_of(1));
    EXPECT_EQ(client(psk.allow(list.path())), "keys: a list of clients is a server's");
    EXPECT_EQ(client(psk.peer(key)),
              "keys: a client with a shared secret and the server's public key needs a key pair, too");
    EXPECT_EQ(server(psk.allow(list.path())), "keys: a list of clients needs the server's key pair");
    // The first failure is kept.
    const std::string first = "/nowhere/a: No such file or directory";
    EXPECT_EQ(client(Keys::shared("/nowhere/a").with_shared("/nowhere/b").peer("abc")), first);
    EXPECT_EQ(connect(Address{.port = 9}, {.keys = psk}).error().code, EINVAL);
}

TEST(ConnectionKeys, files_that_are_none) {
    const KeyTextFile large(std::string(20'000, '#')), wrong("abc\n"), link_target("");
    EXPECT_EQ(read_secret_key("/tmp").error().code, EISDIR);
    EXPECT_EQ(read_secret_key(large.path()).error().text, large.path() + ": has 16384 bytes or more");
    EXPECT_EQ(read_secret_key(wrong.path()).error().code, EINVAL);
    EXPECT_EQ(read_secret_key("/proc/self/mem").error().code, EIO) << "it has nothing at 0";
    EXPECT_EQ(read_allow_list(wrong.path()).error().code, EINVAL);
    EXPECT_EQ(read_allow_list("/proc/self/mem").error().code, EIO);
    EXPECT_EQ(read_allow_list("/nowhere").error().code, ENOENT);
}

TEST(ConnectionKeys, standard_input_is_named) {
    const int before = dup(STDIN_FILENO);
    const KeyTextFile key(crypto::key_text(secret_of(5)) + "\n"), empty("");
    const auto read_from = [](const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        dup2(fd, STDIN_FILENO);
        ::close(fd);
        return read_secret_key("-");
    };
    EXPECT_EQ(read_from(key.path()), secret_of(5));
    EXPECT_TRUE(read_from(empty.path()).error().text.starts_with("standard input: "));
    ::close(STDIN_FILENO);
    EXPECT_EQ(read_secret_key("-").error().text, "standard input: Bad file descriptor");
    dup2(before, STDIN_FILENO);
    ::close(before);
}

}  // namespace
}  // namespace ringpost::test
