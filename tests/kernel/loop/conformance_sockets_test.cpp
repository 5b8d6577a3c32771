// Adding, removing and sharing sockets; errors, full buffers, multicast and time stamps.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/kernel/loop/conformance.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(Conformance, Cases, CaseNames);

/// A port without a listener.
Address closed_port() { return Peer(loopback_v4()).local(); }

TYPED_TEST(Conformance, two_sockets_on_one_backend_are_independent) {
    auto engine = this->open();
    const SocketIndex a = engine.add_bound(loopback_v4()), b = engine.add_bound(loopback_v6());
    Peer to_a(loopback_v4()), to_b(loopback_v6());
    for (std::uint32_t i = 0; i < 50; ++i) {
        to_a.send(numbered(i), engine.local(a));
        to_b.send(numbered(1'000 + i), engine.local(b));
    }
    ASSERT_TRUE(engine.await_received(100));
    std::map<SocketIndex, std::vector<std::string>> received;
    for (const Delivery& delivery : engine.received) received[delivery.socket].push_back(delivery.bytes);
    EXPECT_EQ(received[a], make_train(0, 50, 8, 8).datagrams);
    EXPECT_EQ(received[b], make_train(1'000, 50, 8, 8).datagrams);
    engine.post(b, "from b", to_b.local());
    engine.post(a, "from a", to_a.local());
    engine.turn(0);
    EXPECT_EQ(to_a.receive_texts(1), std::vector<std::string>{"from a"});
    EXPECT_EQ(to_b.receive_texts(1), std::vector<std::string>{"from b"});
}

TYPED_TEST(Conformance, sockets_may_share_a_port) {
    auto engine = this->open();
    const SocketIndex first = engine.add(sharing_port(loopback_v4()));
    const SocketIndex second = engine.add(sharing_port(engine.local(first)));
    EXPECT_EQ(engine.local(first), engine.local(second));
    std::set<SocketIndex> used;
    for (std::uint32_t i = 0; i < 64; ++i) {
        Peer peer(loopback_v4());
        engine.received.clear();
        peer.send("one", engine.local(first));
        peer.send("two", engine.local(first));
        ASSERT_TRUE(engine.await_received(2));
        EXPECT_EQ(engine.received[0].socket, engine.received[1].socket) << "one peer, one socket";
        used.insert(engine.received[0].socket);
    }
    EXPECT_EQ(used.size(), 2u);
    const auto refused = UdpSocket::open(bound_to(engine.local(first)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, "bind " + to_text(engine.local(first)) + ": Address already in use");
}

TYPED_TEST(Conformance, sockets_come_and_go_among_few_and_many) {
    auto engine = this->open();
    Peer peer(loopback_v4());
    std::vector<SocketIndex> sockets;
    for (std::size_t round = 0; round < 48; ++round) {
        const std::size_t count = 1 + round * 7 % (3 * polled_sockets_max);
        while (sockets.size() < count) sockets.push_back(engine.add_bound(loopback_v4()));
        for (; sockets.size() > count; sockets.erase(sockets.begin())) engine->remove(sockets.front());
        engine.received.clear();
        engine.post(sockets[round % count], "", peer.local());  // a reply is due there
        for (const SocketIndex socket : sockets)
            for (std::uint32_t i = 0; i < 3; ++i) peer.send(numbered(i), engine.local(socket));
        ASSERT_TRUE(engine.await_received(3 * count)) << "round " << round;
        std::map<SocketIndex, std::vector<std::string>> received;
        for (const Delivery& delivery : engine.received) received[delivery.socket].push_back(delivery.bytes);
        for (const SocketIndex socket : sockets) ASSERT_EQ(received[socket], make_train(0, 3, 8, 8).datagrams);
        if (round % 3 == 0) engine.turn(0);
    }
}

TYPED_TEST(Conformance, a_closed_port_is_counted_and_receiving_goes_on) {
    for (const bool gro : {true, false}) {
        auto engine = this->open();
        const Address port = closed_port();
        const SocketIndex socket = engine.add(connected_to(port, gro));
        for (int round = 0; round < 3; ++round) {
            const std::uint64_t before = engine->counters().unreachable;
            // The ICMP error is reported by a receive or by the next send, whichever is first.
            ASSERT_TRUE(engine.run_until([&] {
                engine.post(socket, "anybody?");
                engine.turn(0);
                return engine->counters().unreachable > before;
            }));
        }
        EXPECT_EQ(engine->counters().receive_failed, 0u);
        engine.settle();
        Peer peer(port);
        for (std::uint32_t i = 0; i < 20; ++i) peer.send(numbered(i), engine.local(socket));
        ASSERT_TRUE(engine.await_received(20));
        EXPECT_EQ(engine.texts(), make_train(0, 20, 8, 8).datagrams);
    }
}

// The first turn that does not sleep cancels the receive that waits. An error that comes just then must not go with it.
TYPED_TEST(Conformance, a_closed_port_is_counted_when_a_sleep_ends) {
    auto engine = this->open();
    SocketOptions options = connected_to(closed_port(), true);
    options.reports_errors = true;
    const SocketIndex socket = engine.add(options);
    for (int round = 0; round < 50; ++round) {
        engine.turn(millisecond);
        const std::uint64_t before = engine->counters().unreachable;
        engine.post(socket, "anybody?");
        engine.turn(0);
        ASSERT_TRUE(engine.run_until([&] { return engine->counters().unreachable > before; })) << "round " << round;
    }
}

TYPED_TEST(Conformance, drops_of_a_full_receive_buffer_are_counted) {
    auto engine = this->open();
    SocketOptions tiny = bound_to(loopback_v4());
    tiny.receive_buffer_bytes = 1;
    const SocketIndex socket = engine.add(tiny);
    Peer peer(loopback_v4());
    engine.settle();
    constexpr std::uint32_t sent = 50;
    for (std::uint32_t i = 0; i < sent; ++i) peer.send(numbered(i, 1'000), engine.local(socket));
    ASSERT_TRUE(engine.run_until([&] { return engine.received.size() + engine->counters().socket_dropped >= sent; }));
    const EngineCounters counters = engine->counters();
    EXPECT_GT(counters.socket_dropped, 0u);
    EXPECT_EQ(counters.received + counters.socket_dropped, sent);
    // The count outlives the socket.
    for (std::uint32_t i = 0; i < sent; ++i) peer.send(numbered(i, 1'000), engine.local(socket));
    engine->remove(socket);
    EXPECT_GT(engine->counters().socket_dropped, counters.socket_dropped);
}

TYPED_TEST(Conformance, nothing_of_a_removed_socket_reaches_the_next_one) {
    auto engine = this->open();
    Peer peer(loopback_v4());
    for (std::uint32_t round = 0; round < 40; ++round) {
        const SocketIndex old_socket = engine.add_bound(loopback_v4());
        const Address old_address = engine.local(old_socket);
        // In every state: idle, armed, cancelling, with completions not yet reaped.
        if (round % 2 == 1) engine->enter(round % 4 == 1 ? 0 : 50 * microsecond);
        engine->reap();
        if (round % 8 > 3) engine->enter(0);
        for (int i = 0; i < 3; ++i) peer.send("old", old_address);
        engine.post(old_socket, "from old", peer.local());
        if (round % 3 == 0) engine->enter(0);
        engine->remove(old_socket);
        const SocketIndex new_socket = engine.add_bound(loopback_v4());
        engine.collect();
        for (int i = 0; i < 3; ++i) peer.send("new", engine.local(new_socket));
        ASSERT_TRUE(engine.await_received(3));
        engine.settle();
        EXPECT_EQ(engine.texts(), (std::vector<std::string>{"new", "new", "new"})) << "round " << round;
        engine.received.clear();
        engine->remove(new_socket);
        ASSERT_TRUE(peer.receive()) << "datagrams posted before remove() are sent";
        // The port is free immediately, not only when the ring is closed.
        EXPECT_TRUE(UdpSocket::open(bound_to(old_address)));
    }
}

TYPED_TEST(Conformance, other_sockets_continue_when_one_is_removed) {
    auto engine = this->open();
    Peer peer(loopback_v4());
    const SocketIndex kept = engine.add_bound(loopback_v4());
    for (std::uint32_t round = 0; round < 30; ++round) {
        const SocketIndex other = engine.add_bound(loopback_v4());
        peer.send(numbered(2 * round), engine.local(kept));
        peer.send("other", engine.local(other));
        engine.turn(round % 2 == 0 ? 0 : patience);
        peer.send(numbered(2 * round + 1), engine.local(kept));
        engine->remove(other);
        ASSERT_TRUE(engine.run_until([&] {
            std::erase_if(engine.received, [](const Delivery& delivery) { return delivery.bytes == "other"; });
            return engine.received.size() == 2 * (round + 1);
        }));
    }
    EXPECT_EQ(engine.texts(), make_train(0, 60, 8, 8).datagrams);
}

TYPED_TEST(Conformance, a_full_send_buffer_blocks_sending_without_loss) {
    bool slowed = false;
    const bool made = in_network_namespace(1'500, [&] {
        // Only a slow interface fills a send buffer; plain loopback never does.
        slowed = std::system("tc qdisc replace dev lo root tbf rate 100mbit burst 4kb limit 10mb 2>/dev/null") == 0;
        if (!slowed) return;
        auto engine = this->open();
        const SocketIndex target = engine.add_bound(loopback_v4());
        SocketOptions narrow = connected_to(engine.local(target));
        narrow.send_buffer_bytes = 1;
        const SocketIndex source = engine.add(narrow);
        std::vector<std::string> sent;
        for (std::uint32_t i = 0; i < 150; ++i) {
            const Train train = make_train(i * 10, 1 + i % 5, 200, 100);
            engine.post(source, train);
            sent.insert(sent.end(), train.datagrams.begin(), train.datagrams.end());
        }
        ASSERT_TRUE(engine.await_received(sent.size()));
        const EngineCounters counters = engine->counters();
        EXPECT_GT(counters.send_retried, 0u);
        EXPECT_EQ(counters.sent, sent.size());
        EXPECT_EQ(counters.send_failed, 0u);
        auto received = engine.texts();
        // Messages of the same turn may have overtaken refused ones.
        if (std::string_view(TypeParam::Backend::name) == "uring") {
            std::sort(received.begin(), received.end());
            std::sort(sent.begin(), sent.end());
        }
        EXPECT_EQ(received, sent);
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!slowed) GTEST_SKIP() << "no traffic shaping (tc tbf)";
}

TYPED_TEST(Conformance, multicast_is_received_while_joined) {
    const bool made = in_network_namespace(65'536, [this] {
        Address group = Address::v4(239, 1, 2, 3, 0), group6;
        group6.ip = {0xff, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77};  // interface-local
        group6.family = Family::v6;
        group6.scope = if_nametoindex("lo");
        std::vector<Address> groups{group};
        // Loopback has no IPv6 multicast route by default.
        if (std::system("ip -6 route add ff01::/16 dev lo table local") == 0) groups.push_back(group6);
        for (Address to : groups) {
            SCOPED_TRACE(to_text(to));
            auto engine = this->open();
            Address any = any_v6();
            if (to.family == Family::v4) any = Address::v4(0, 0, 0, 0, 0);
            const SocketIndex socket = engine.add_bound(any);
            const SocketIndex source = engine.add_bound(any);
            to.port = engine.local(socket).port;
            ASSERT_TRUE(engine->socket(source).configure_multicast("lo", 1, MulticastLoop::on));
            ASSERT_TRUE(engine->socket(socket).join(to, "lo"));
            engine.post(source, "joined", to);
            ASSERT_TRUE(engine.await_received(1));
            EXPECT_EQ(engine.received[0].socket, socket);
            ASSERT_TRUE(engine->socket(socket).leave(to, "lo"));
            engine.post(source, "left", to);
            engine.settle();
            ASSERT_TRUE(engine->socket(socket).join(to, "lo"));
            engine.post(source, "joined again", to);
            ASSERT_TRUE(engine.await_received(2));
            EXPECT_EQ(engine.texts(), (std::vector<std::string>{"joined", "joined again"}));
        }
    });
    if (!made) GTEST_SKIP() << no_namespace;
}

TYPED_TEST(Conformance, a_socket_per_interface_sends_and_receives_only_there) {
    bool linked = false;
    const bool made = in_network_namespace(65'536, [&] {
        // Two veth links with both ends in this namespace: what is sent on one end arrives on the other.
        const char* commands =
            "for i in a b; do ip link add near$i type veth peer name far$i && ip link set near$i up && "
            "ip link set far$i up || exit 1; done 2>/dev/null; ip addr add 192.0.2.1/25 dev neara && "
            "ip addr add 192.0.2.129/25 dev nearb && ip addr add 192.0.2.2/25 dev fara && "
            "ip addr add 192.0.2.130/25 dev farb && "
            "for i in all default neara nearb fara farb; do for k in accept_local=1 rp_filter=0; do "
            "echo ${k#*=} > /proc/sys/net/ipv4/conf/$i/${k%=*} || exit 1; done; done";
        linked = std::system(commands) == 0;
        if (!linked) return;
        auto engine = this->open();
        const char* names[] = {"neara", "nearb", "fara", "farb"};
        std::vector<SocketIndex> sockets;
        Address group = Address::v4(239, 1, 2, 3, 0);
        for (const char* name : names) {
            SocketOptions options = bound_to(Address::v4(0, 0, 0, 0, group.port));
            options.reuse_address = true;
            sockets.push_back(engine.add(options));
            UdpSocket& socket = engine->socket(sockets.back());
            group.port = socket.local().port;
            ASSERT_TRUE(socket.join(group, name));
            ASSERT_TRUE(socket.configure_multicast(name, 1, MulticastLoop::off));
        }
        engine.post(sockets[0], "on a", group);
        engine.post(sockets[3], "on b", group);
        ASSERT_TRUE(engine.await_received(2));
        engine.settle();
        ASSERT_EQ(engine.received.size(), 2u) << "each only by the other end";
        std::map<std::string, SocketIndex> by;
        for (const Delivery& delivery : engine.received) by[delivery.bytes] = delivery.socket;
        EXPECT_EQ(by["on a"], sockets[2]);
        EXPECT_EQ(by["on b"], sockets[1]);
        // With MulticastLoop::on, also by the sending socket.
        engine.received.clear();
        ASSERT_TRUE(engine->socket(sockets[0]).configure_multicast("neara", 1, MulticastLoop::on));
        engine.post(sockets[0], "looped", group);
        ASSERT_TRUE(engine.await_received(2));
        engine.settle();
        std::set<SocketIndex> received;
        for (const Delivery& delivery : engine.received) received.insert(delivery.socket);
        EXPECT_EQ(received, (std::set{sockets[0], sockets[2]}));
        // A socket without reuse_address cannot bind the shared port.
        EXPECT_FALSE(UdpSocket::open(bound_to(Address::v4(0, 0, 0, 0, group.port))));
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!linked) GTEST_SKIP() << "no permission to create veth links";
}

// There is no route to the group: the source address comes only from configure_multicast().
TEST(UdpSocket, connects_to_a_group_through_the_configured_interface) {
    bool linked = false;
    const bool made = in_network_namespace(65'536, [&] {
        const char* commands =
            "ip link add near type veth peer name far && ip link set near up && ip link set far up && "
            "ip addr add 192.0.2.1/25 dev near && ip addr add 192.0.2.129/25 dev far";
        linked = std::system(commands) == 0;
        if (!linked) return;
        const Address group = Address::v4(239, 1, 2, 3, 4'000);
        EXPECT_FALSE(UdpSocket::open(connected_to(group)));
        for (const auto& [name, ip] : {std::pair{"near", "192.0.2.1"}, {"far", "192.0.2.129"}}) {
            auto socket = UdpSocket::open(bound_to(Address::v4(0, 0, 0, 0, 0)));
            ASSERT_TRUE(socket);
            ASSERT_TRUE(socket->configure_multicast(name, 1, MulticastLoop::on));
            ASSERT_TRUE(socket->connect(group));
            EXPECT_EQ(ip_text(socket->local()), ip);
            EXPECT_EQ(socket->peer(), group);
        }
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!linked) GTEST_SKIP() << "no permission to create veth links";
}

TYPED_TEST(Conformance, join_reports_errors) {
    auto engine = this->open();
    const SocketIndex socket = engine.add_bound(loopback_v4());
    const Address group = Address::v4(239, 1, 2, 3, 0);
    const auto no_interface = engine->socket(socket).join(group, "nonesuch0");
    ASSERT_FALSE(no_interface);
    EXPECT_EQ(no_interface.error().text, "join 239.1.2.3 on nonesuch0: No such device");
    EXPECT_FALSE(engine->socket(socket).join(Address::v4(127, 0, 0, 1, 0), "lo"));
    EXPECT_FALSE(engine->socket(socket).leave(group, "lo")) << "never joined";
    EXPECT_FALSE(engine->socket(socket).configure_multicast("nonesuch0", 1, MulticastLoop::on));
}

/// Sends until a datagram arrives with a stamp: the host starts stamping with a delay after the first such socket.
template <class Engine>
bool stamps_are_made(Engine& engine, Peer& peer, SocketIndex socket) {
    for (std::size_t received = 1; received < 10'000; ++received, std::this_thread::yield()) {
        peer.send("?", engine.local(socket));
        if (!engine.await_received(received)) return false;
        if (engine.received.back().stamped_at != never) return true;
    }
    return false;
}

TYPED_TEST(Conformance, a_stamp_lies_between_the_send_and_the_receive) {
    for (const bool connected : {true, false})
        for (const bool gro : {true, false}) {
            auto engine = this->open();
            Peer peer(loopback_v4());
            SocketOptions options = bound_to(loopback_v4(), gro);
            if (connected) options.connect = peer.local();
            const SocketIndex without = engine.add_bound(loopback_v4(), gro);
            options.stamps = true;
            const SocketIndex with = engine.add(options);
            ASSERT_TRUE(stamps_are_made(engine, peer, with));
            for (std::uint32_t i = 0; i < 100; ++i) {
                engine.received.clear();
                const Instant before = now();
                peer.send(numbered(i), engine.local(with));
                peer.send(numbered(i), engine.local(without));
                ASSERT_TRUE(engine.await_received(2));
                const Instant after = now();
                for (const Delivery& delivery : engine.received) {
                    ASSERT_EQ(delivery.stamped_at != never, delivery.socket == with);
                    if (delivery.socket != with) continue;
                    // The clock conversion is accurate to half the duration of this round.
                    const Duration unsure = after - before;
                    EXPECT_GE(delivery.stamped_at, before - unsure);
                    EXPECT_LE(delivery.stamped_at, after + unsure);
                }
            }
        }
}

TYPED_TEST(Conformance, a_train_has_one_stamp) {
    auto engine = this->open();
    Peer peer(loopback_v4());
    SocketOptions options = bound_to(loopback_v4());
    options.stamps = true;
    const SocketIndex target = engine.add(options);
    const SocketIndex source = engine.add_connected(engine.local(target));
    ASSERT_TRUE(stamps_are_made(engine, peer, target));
    engine.received.clear();
    const Train train = make_train(100, 40, 1'000, 123);
    engine.post(source, train);
    ASSERT_TRUE(engine.await_received(40));
    EXPECT_EQ(engine.texts(), train.datagrams);
    ASSERT_NE(engine.received[0].stamped_at, never);
    if (kernel_train_segments() == 1) return;
    for (const Delivery& delivery : engine.received) EXPECT_EQ(delivery.stamped_at, engine.received[0].stamped_at);
    EXPECT_EQ(engine->counters().truncated, 0u);
}

}  // namespace
}  // namespace ringpost::test
