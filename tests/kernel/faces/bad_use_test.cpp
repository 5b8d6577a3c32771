// What the faces do when they are used wrongly: options out of range, peers that cannot be, refusals by the kernel,
// other threads, other processes, objects that were moved from.

#include <sys/wait.h>

#include <cerrno>

#include <ringpost/beacon.hpp>
#include <ringpost/confirmed.hpp>
#include <ringpost/devices.hpp>
#include <ringpost/engine.hpp>
#include <ringpost/structs.hpp>
#include <ringpost/threaded_connection.hpp>
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

// ---- options --------------------------------------------------------------------------------------

template <class Face, class Options>
void expect_refused(const Options& options, std::string_view text) {
    const auto opened = Face::open(options);
    ASSERT_FALSE(opened.has_value()) << text;
    EXPECT_EQ(opened.error().code, EINVAL);
    EXPECT_EQ(opened.error().text, text);
}

gtudp::OpenOptions with(const std::function<void(gtudp::OpenOptions&)>& change) {
    gtudp::OpenOptions out{.bind = loopback_v4()};
    change(out);
    return out;
}

TEST(BadOptions, of_gtudp_are_named_with_their_range) {
    const std::pair<gtudp::OpenOptions, std::string_view> cases[] = {
        {with([](auto& options) { options.protocol.sends_max = 1'000; }),
         "protocol.sends_max 1000: must be a power of two from 1 to 16777216"},
        {with([](auto& options) { options.protocol.peers_max = 0; }),
         "protocol.peers_max 0: must be a power of two from 1 to 16777216"},
        {with([](auto& options) { options.protocol.resending.data_sends_max = 0; }),
         "protocol.resending.data_sends_max 0: must be from 1 to 255"},
        {with([](auto& options) { options.protocol.resending.timeout_min = 4 * second; }),
         "protocol.resending.timeout_min 4000000000: must be from 1 to 3000000000"},
        {with([](auto& options) { options.sends_max = 0; }), "sends_max 0: must be from 1 to 1048576"},
        {with([](auto& options) { options.bind = {}; }), "bind: an address of family none"},
        {with([](auto& options) { options.bind.family = Family{9}; }), "bind: not an address"},
        {with([](auto& options) { options.connect = {.port = 5, .family = Family{9}}; }), "connect: not an address"},
        {with([](auto& options) { options.engine.wait = WaitMode{9}; }), "engine.wait: not a WaitMode"},
        {with([](auto& options) { options.allowed = {{loopback_v4(), 129}}; }),
         "allowed: prefix_bits 129: must be from 0 to 128"},
        {with([](auto& options) { options.wire.types[1] = options.wire.types[0]; }), "wire: two types are equal"},
        {with([](auto& options) { options.wire.types[1].clear(); }), "wire: a type is empty"},
        {with([](auto& options) { options.wire.types[1].resize(9); }), "wire: the types differ in length"},
        {with([](auto& options) { options.wire.magic.resize(65'507); }),
         "wire: the header leaves no room in a datagram"},
        {with([](auto& options) { options.protocol.sends_max = 1u << 25; }),
         "protocol.sends_max 33554432: must be a power of two from 1 to 16777216"},
        {with([](auto& options) { options.connect = loopback_v4(0); }), "connect: port 0"},
    };
    for (const auto& [options, text] : cases) {
        expect_refused<gtudp::Messenger>(options, text);
        expect_refused<gtudp::ThreadedMessenger>(options, text);
    }
}

TEST(BadOptions, of_the_other_faces_are_named_with_their_range) {
    confirmed::OpenOptions confirmed{.bind = loopback_v4()};
    confirmed.protocol.bytes_max = 100'000;
    expect_refused<confirmed::Messenger>(confirmed, "protocol.bytes_max 100000: must be from 1 to 65507");
    confirmed = {.bind = loopback_v4()};
    confirmed.protocol.target = loopback_v4(0);
    expect_refused<confirmed::Messenger>(confirmed,
                                         "protocol.target: an address without a port, or of another family than bind");
    confirmed.protocol = {.peer_port = 0};
    expect_refused<confirmed::Messenger>(confirmed, "protocol.peer_port 0: must be from 1 to 65535");
    devices::NodeOptions node{.protocol = {.name = "ann"}, .interfaces = {"lo"}};
    node.notices_max = 1'000;
    expect_refused<devices::Node>(node, "notices_max 1000: must be a power of two from 1 to 16777216");
    node = {.protocol = {.name = "ann", .period = 0}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.period 0: must be from 1 to 72057594037927936");
    node = {.protocol = {.name = "ann", .group_v6 = loopback_v6(3'235)}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.group_v6: not an IPv6 group with a port");
    node = {.protocol = {.name = "ann", .tcp_port = 0}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.tcp_port 0: must be from 1 to 65535");
    for (const auto& [name, text] :
         {std::pair{std::string(), "name : it is empty"}, std::pair{std::string("\xff"), "name \xff: it is not UTF-8"},
          std::pair{std::string("a:,:b"), "name a:,:b: it contains `:,:` or `/EOL`"}})
        expect_refused<devices::Node>(devices::NodeOptions{.protocol = {.name = name}}, text);
    const auto too_long = devices::Node::open({.protocol = {.name = std::string(70'000, 'x')}});
    EXPECT_TRUE(too_long.error().text.ends_with(": it is too long"));
    node = {.protocol = {.name = "ann", .group = Address::v4(239, 1, 1, 1, 0)}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.group: not an IPv4 group with a port");
    node = {.protocol = {.name = "ann", .seeds = {Address{.port = 9}}}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.seeds: an address without a port");
    node = {.protocol = {.name = "ann", .seeds = {loopback_v4(0)}}, .interfaces = {"lo"}};
    expect_refused<devices::Node>(node, "protocol.seeds: an address without a port");
    beacon::OpenOptions beacon{.bind = loopback_v4()};
    beacon.protocol.targets = {{loopback_v6(5), {}}};
    expect_refused<beacon::Beacon>(beacon,
                                   "protocol.targets: an address without a port, or of another family than bind");
    const structs::Library library;
    EXPECT_EQ(structs::Messenger::open(library, {.bind = {}}).error().text, "bind: an address of family none");
    expect_refused<Engine>(EngineOptions{.backend = BackendChoice{9}}, "engine.backend: not a BackendChoice");
    auto engine = Engine::open({.backend = BackendChoice::mmsg}).value();
    EXPECT_EQ(engine.open_socket({.bind = {.family = Family{9}}}).error().text, "bind: not an address");
    EXPECT_EQ(engine.open_socket({.connect = {.family = Family{9}}}).error().text, "connect: not an address");
}

TEST(BadOptions, of_connections_are_named_with_their_range) {
    const auto expect_text = [](const ConnectOptions& options, std::string_view text) {
        EXPECT_EQ(connect(loopback_v4(9), options).error().text, text);
    };
    expect_text({.protocol = {.fixed = {.rate = -1}}}, "protocol.fixed.rate: must be from 0 to 1e15");
    expect_text({.protocol = {.fixed = {.rate = 1e15}}}, "protocol.fixed.rate: must be from 0 to 1e15");
    expect_text({.protocol = {.channel_options = {{.priority = 8}}}},
                "protocol.channel_options.priority 8: must be from 0 to 7");
    expect_text({.application = "\xff"}, "application: must be UTF-8 of at most 64 bytes");
}

// ---- peers ----------------------------------------------------------------------------------------

class BadPeers : public OnBackend {};

TEST_P(BadPeers, a_peer_that_cannot_be_is_refused) {
    gtudp::Messenger messenger = open_messenger();
    gtudp::ThreadedMessenger threaded = open_engine();
    for (const Address& peer : {Address{}, loopback_v4(0), loopback_v6(7)}) {
        EXPECT_EQ(messenger.send(peer, as_bytes("x")).error(), gtudp::Refusal::bad_peer);
        EXPECT_FALSE(messenger.send_raw(peer, as_bytes("x")));
        EXPECT_EQ(threaded.send(peer, as_bytes("x")).error(), gtudp::SendRefusal::bad_peer);
        EXPECT_EQ(threaded.send_and_wait(peer, as_bytes("x"), second).error(), gtudp::SendRefusal::bad_peer);
    }
    EXPECT_EQ(messenger.counters().refused_bad_peer, 3u);
    EXPECT_EQ(threaded.counters().refused_bad_peer, 6u);
    auto confirmed = confirmed::Messenger::open({.bind = loopback_v4(), .engine = {.backend = GetParam()}}).value();
    EXPECT_EQ(confirmed.send("x", {.to = loopback_v6(7)}).error().reason, confirmed::Refusal::bad_peer);
    EXPECT_EQ(confirmed.send("x").error().reason, confirmed::Refusal::no_target);
}

TEST_P(BadPeers, a_socket_of_both_families_reaches_both) {
    auto chosen = options();
    chosen.bind = any_v6();
    gtudp::Messenger both = open_messenger(chosen);
    EXPECT_TRUE(both.send(loopback_v4(9), as_bytes("x")));
    EXPECT_EQ(both.send({.port = 9}, as_bytes("x")).error(), gtudp::Refusal::bad_peer);
    chosen.bind = loopback_v6();
    gtudp::Messenger one = open_messenger(chosen);
    EXPECT_EQ(one.send(loopback_v4(9), as_bytes("x")).error(), gtudp::Refusal::bad_peer);
}

TEST_P(BadPeers, the_errno_of_the_kernel_is_in_the_outcome) {
    // A broadcast address, to which no socket without SO_BROADCAST sends; the errno depends on the routes.
    const Address forbidden = Address::v4(255, 255, 255, 255, 9);
    const Peer plain(loopback_v4());
    SocketAddress address;
    const socklen_t length = to_socket_address(forbidden, Family::v4, address);
    ASSERT_EQ(sendto(plain.fd(), "x", 1, 0, &address.any, length), -1);
    const int expected = errno;
    auto chosen = options();
    chosen.protocol.resending = {.data_sends_max = 1, .timeout_initial = millisecond, .patience = 0};
    std::vector<std::string> log;
    chosen.engine.log = [&](LogLevel level, std::string_view text) {
        if (level == LogLevel::warning) log.emplace_back(text);
    };
    gtudp::Messenger messenger = open_messenger(chosen);
    ASSERT_TRUE(messenger.send(forbidden, as_bytes("x")));
    std::optional<gtudp::Event> ended;
    while (!ended) messenger.poll(patience, [&](const gtudp::Event& event) { ended = event; });
    EXPECT_EQ(ended->outcome, gtudp::Outcome::gave_up_attempts);
    EXPECT_EQ(ended->error, expected);
    EXPECT_EQ(log, std::vector{std::string("send to 255.255.255.255:9: ") + std::strerror(expected)});
    chosen.engine.log = nullptr;
    gtudp::ThreadedMessenger threaded = open_engine(chosen);
    ASSERT_TRUE(threaded.send(forbidden, as_bytes("x")));
    EXPECT_EQ(threaded.next_outcome(patience).value().error, expected);
}

// ---- threads, processes, moves --------------------------------------------------------------------

class BadUse : public OnBackend {
  protected:
    void SetUp() override {
        if (scale == 1) GTEST_SKIP() << "ThreadSanitizer does not support fork() from a process with threads";
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        OnBackend::SetUp();
    }
};

TEST_P(BadUse, another_thread_ends_the_process) {
    gtudp::Messenger messenger = open_messenger();
    EXPECT_TRUE(messenger.usable());
    std::thread([&] { EXPECT_FALSE(messenger.usable()); }).join();
    EXPECT_DEATH(std::thread([&] { messenger.in_flight(); }).join(), "used on another thread");
}

/// Returns whatever datagrams it is given.
struct Stray {
    struct Event {};
    void handle(Instant, const Datagram&) {}
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return std::exchange(transmit, {}); }
    std::optional<Event> poll_event() { return {}; }
    std::optional<Instant> poll_timeout() const { return {}; }

    std::optional<Transmit> transmit;
};

TEST_P(BadUse, a_socket_that_is_not_open_ends_the_process) {
    auto engine = Engine::open({.backend = GetParam()}).value();
    const SocketIndex socket = engine.open_socket({.bind = loopback_v4()}).value();
    const char* const text = "the index is not of an open socket";
    EXPECT_DEATH(engine.local(socket + 1), text);
    EXPECT_DEATH(engine.close_socket(socket + 100), text);
    EXPECT_DEATH((void)engine.join(socket + 1, Address::v4(239, 1, 1, 1, 0), "lo"), text);
    Stray stray{Transmit{.destination = loopback_v4(9), .socket = socket + 1}};
    const auto ignore = [](Instant, const Stray::Event&) {};
    EXPECT_DEATH(engine.poll(0, stray, ignore), text);
    stray.transmit = Transmit{.destination = loopback_v4(9), .socket = socket, .bytes = 70'000};
    EXPECT_DEATH(engine.poll(0, stray, ignore), "transmit->bytes <= out.size");
    engine.close_socket(socket);
    EXPECT_DEATH(engine.local(socket), text);
}

TEST_P(BadPeers, to_cancel_what_was_never_sent_has_no_effect) {
    gtudp::Messenger messenger = open_messenger();
    gtudp::ThreadedMessenger threaded = open_engine();
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1} << 31, UINT64_MAX}) {
        const auto half = static_cast<std::uint32_t>(number);
        EXPECT_FALSE(messenger.cancel({half, half}));
        EXPECT_TRUE(threaded.cancel({number}));
    }
    ASSERT_TRUE(threaded.send(threaded.local(), as_bytes("x")));
    EXPECT_TRUE(threaded.receive(patience));
}

TEST_P(BadUse, an_empty_handler_ends_the_process) {
    gtudp::Messenger messenger = open_messenger();
    EXPECT_DEATH(messenger.poll(0, {}), "empty handler");
}

TEST_P(BadUse, an_object_that_was_moved_from_ends_the_process) {
    gtudp::Messenger messenger = open_messenger();
    gtudp::Messenger moved(std::move(messenger));
    EXPECT_TRUE(moved.usable());
    EXPECT_FALSE(messenger.usable());  // NOLINT(bugprone-use-after-move)
    EXPECT_DEATH(messenger.in_flight(), "used after it was moved from");
    gtudp::ThreadedMessenger threaded = open_engine();
    gtudp::ThreadedMessenger moved_too(std::move(threaded));
    EXPECT_DEATH(threaded.receive(0), "used after it was moved from");  // NOLINT(bugprone-use-after-move)
}

enum class UsableOn : std::uint8_t { one, any };

template <class Face>
void expect_usable_until_moved(Face face, UsableOn threads = UsableOn::one) {
    EXPECT_TRUE(face.usable());
    const Face moved(std::move(face));
    EXPECT_TRUE(moved.usable());
    EXPECT_FALSE(face.usable());  // NOLINT(bugprone-use-after-move)
    bool elsewhere = false;
    std::thread([&] { elsewhere = moved.usable(); }).join();
    EXPECT_EQ(elsewhere, threads == UsableOn::any);
}

TEST_P(BadPeers, every_face_knows_whether_it_was_moved_from) {
    const EngineOptions engine{.backend = GetParam()};
    const structs::Library library;
    expect_usable_until_moved(open_messenger());
    expect_usable_until_moved(open_engine(), UsableOn::any);
    expect_usable_until_moved(confirmed::Messenger::open({.bind = loopback_v4(), .engine = engine}).value());
    expect_usable_until_moved(beacon::Beacon::open({.bind = loopback_v4(), .engine = engine}).value());
    expect_usable_until_moved(structs::Messenger::open(library, {.bind = loopback_v4(), .engine = engine}).value());
    expect_usable_until_moved(Engine::open(engine).value());
    expect_usable_until_moved(
        devices::Node::open({.protocol = {.name = "ann"}, .interfaces = {"lo"}, .listen = false, .engine = engine})
            .value(),
        UsableOn::any);
    const Keys keys = Keys::shared(Keys::Secret{});
    auto server = ThreadedServer::listen(loopback_v4(), {.keys = keys, .engine = engine}).value();
    expect_usable_until_moved(connect(server.local(), {.keys = keys, .engine = engine}).value());
    expect_usable_until_moved(ThreadedConnection::connect(server.local(), {.keys = keys, .engine = engine}).value(),
                              UsableOn::any);
    expect_usable_until_moved(std::move(server), UsableOn::any);
}

TEST_P(BadPeers, an_address_that_is_not_here_cannot_be_bound) {
    const Address elsewhere = Address::v4(192, 0, 2, 1, 9);
    const EngineOptions options{.backend = GetParam()};
    const structs::Library library;
    EXPECT_EQ(beacon::Beacon::open({.bind = elsewhere, .engine = options}).error().code, EADDRNOTAVAIL);
    EXPECT_EQ(structs::Messenger::open(library, {.bind = elsewhere, .engine = options}).error().code, EADDRNOTAVAIL);
    EXPECT_EQ(confirmed::Messenger::open({.bind = elsewhere, .engine = options}).error().code, EADDRNOTAVAIL);
    auto engine = Engine::open(options).value();
    EXPECT_EQ(engine.open_socket({.bind = elsewhere}).error().code, EADDRNOTAVAIL);
}

TEST_P(BadPeers, the_other_faces_refuse_a_peer_that_cannot_be) {
    structs::Library library;
    ASSERT_TRUE(library.add(1, "one", "<H"));
    const EngineOptions engine{.backend = GetParam()};
    auto structs = structs::Messenger::open(library, {.bind = loopback_v4(), .engine = engine}).value();
    EXPECT_EQ(structs.send(loopback_v6(7), {1, as_bytes("ab")}).error(), structs::Refusal::bad_peer);
    EXPECT_EQ(structs.counters().refused_bad_peer, 1u);
    auto confirmed = confirmed::Messenger::open({.bind = loopback_v4(), .engine = engine}).value();
    const auto value = confirmed::Value::of_json("[1]").value();
    EXPECT_EQ(confirmed.send(value, {.to = loopback_v6(7)}).error().reason, confirmed::Refusal::bad_peer);
    gtudp::Messenger messenger = open_messenger();
    EXPECT_FALSE(messenger.send_raw(messenger.local(), as_bytes(std::string(70'000, 'x')))) << "too large";
}

TEST_P(BadUse, a_child_may_only_destroy_and_its_parent_goes_on) {
    std::optional<gtudp::Messenger> messenger = open_messenger();
    std::optional<gtudp::ThreadedMessenger> threaded = open_engine();
    ASSERT_TRUE(messenger->send(threaded->local(), as_bytes("before")));
    messenger->poll(0, [](const gtudp::Event&) {});
    const pid_t child = fork();
    if (child == 0) {
        const bool right = !messenger->usable() && !threaded->usable();
        messenger.reset();
        threaded.reset();
        _exit(right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(messenger->usable() && threaded->usable());
    ASSERT_TRUE(messenger->send(threaded->local(), as_bytes("after")));
    const gtudp::Messenger::Handler ignore = [](const gtudp::Event&) {};
    for (const Instant give_up = now() + patience; messenger->in_flight() > 0 && now() < give_up;)
        messenger->poll(give_up - now(), ignore);
    EXPECT_EQ(messenger->counters().confirmed, 2u);
    EXPECT_TRUE(threaded->receive(patience) && threaded->receive(patience));
}

RINGPOST_ON_BOTH_BACKENDS(BadPeers);
RINGPOST_ON_BOTH_BACKENDS(BadUse);

}  // namespace
}  // namespace ringpost::test
