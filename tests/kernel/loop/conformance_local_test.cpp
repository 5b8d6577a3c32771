// The local address of received datagrams, replies from that address, the ECN field, and the hop limit.

#include <netinet/in.h>

#include "tests/kernel/loop/conformance.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(Conformance, Cases, CaseNames);

Address with_port(Address address, std::uint16_t port) {
    address.port = port;
    return address;
}

/// A second local address: all of 127/8 is local.
Address other_loopback_v4(std::uint16_t port) { return Address::v4(127, 0, 0, 2, port); }

TYPED_TEST(Conformance, a_reply_leaves_from_the_address_of_the_request) {
    for (const Address& bound : {Address::v4(0, 0, 0, 0, 0), any_v6()}) {
        auto engine = this->open();
        const SocketIndex server = engine.add_bound(bound);
        const std::uint16_t port = engine.local(server).port;
        std::vector<Address> asked{loopback_v4(port), other_loopback_v4(port)};
        if (bound.family == Family::v6) asked.push_back(loopback_v6(port));
        for (const Address& target : asked) {
            engine.received.clear();
            Peer peer(target.family == Family::v4 ? loopback_v4() : loopback_v6());
            peer.send("question", target);
            ASSERT_TRUE(engine.await_received(1));
            EXPECT_EQ(engine.received[0].local, target);
            // As a single datagram and as a train.
            engine.post(server, "answer", engine.received[0].source, 0, engine.received[0].local);
            engine.post(server, "answer", engine.received[0].source, 2, engine.received[0].local);
            engine.turn(0);
            for (int i = 0; i < 4; ++i) {
                const auto answer = peer.receive();
                ASSERT_TRUE(answer);
                EXPECT_EQ(answer->source, target) << answer->bytes;
            }
        }
    }
}

TYPED_TEST(Conformance, a_train_has_a_local_address_too) {
    auto engine = this->open();
    const SocketIndex server = engine.add_bound(Address::v4(0, 0, 0, 0, 0));
    const Address target = other_loopback_v4(engine.local(server).port);
    auto sender = this->open();
    const SocketIndex out = sender.add_connected(target);
    sender.post(out, make_train(1, 20, 100, 40));
    sender.turn(0);
    ASSERT_TRUE(engine.await_received(20));
    for (const Delivery& delivery : engine.received) EXPECT_EQ(delivery.local, target);
    EXPECT_EQ(engine.texts(), make_train(1, 20, 100, 40).datagrams);
}

TYPED_TEST(Conformance, a_socket_bound_to_one_address_reports_it) {
    auto engine = this->open();
    const SocketIndex bound = engine.add_bound(loopback_v4());
    Peer peer(loopback_v4());
    const SocketIndex connected = engine.add_connected(peer.local());
    peer.send("a", engine.local(bound));
    peer.send("b", engine.local(connected));
    ASSERT_TRUE(engine.await_received(2));
    for (const Delivery& delivery : engine.received) EXPECT_EQ(delivery.local, engine.local(delivery.socket));
}

TYPED_TEST(Conformance, multicast_has_the_local_address_of_its_interface) {
    EXPECT_TRUE(in_network_namespace(1'500, [this] {
        auto engine = this->open();
        const Address group = Address::v4(239, 1, 2, 3, 0);
        const SocketIndex member = engine.add_bound(Address::v4(0, 0, 0, 0, 0));
        ASSERT_TRUE(engine->socket(member).join(group, "lo"));
        ASSERT_TRUE(engine->socket(member).configure_multicast("lo", 1, MulticastLoop::on, loopback_v4()));
        engine.post(member, "to the group", with_port(group, engine.local(member).port));
        engine.turn(0);
        ASSERT_TRUE(engine.await_received(1));
        EXPECT_EQ(engine.received[0].local, loopback_v4(engine.local(member).port));
    })) << no_namespace;
}

TYPED_TEST(Conformance, the_ecn_field_is_reported_if_requested) {
    for (const bool v6 : {false, true}) {
        auto engine = this->open();
        SocketOptions options = bound_to(v6 ? loopback_v6() : loopback_v4());
        const SocketIndex silent = engine.add(options);
        options.ecn = true;
        const SocketIndex reporting = engine.add(options);
        Peer peer(v6 ? loopback_v6() : loopback_v4());
        for (const int field : {0, 1, 2, 3}) {
            engine.received.clear();
            ASSERT_EQ(v6 ? setsockopt(peer.fd(), IPPROTO_IPV6, IPV6_TCLASS, &field, sizeof field)
                         : setsockopt(peer.fd(), IPPROTO_IP, IP_TOS, &field, sizeof field),
                      0);
            for (const SocketIndex socket : {silent, reporting}) peer.send("marked", engine.local(socket));
            ASSERT_TRUE(engine.await_received(2));
            for (const Delivery& delivery : engine.received)
                EXPECT_EQ(static_cast<int>(delivery.ecn), delivery.socket == reporting ? field : 0);
        }
    }
}

SocketOptions reporting_hop_limits(const Address& bound) {
    SocketOptions options = bound_to(bound);
    options.hop_limits = true;
    return options;
}

TYPED_TEST(Conformance, hop_limits_are_set_and_reported) {
    struct Row {
        Address server, target, client;
    };
    const Row rows[] = {{loopback_v4(), loopback_v4(), loopback_v4()},
                        {loopback_v6(), loopback_v6(), loopback_v6()},
                        {any_v6(), loopback_v6(), any_v6()},
                        {any_v6(), loopback_v4(), any_v6()},
                        {any_v6(), loopback_v4(), loopback_v4()},
                        {Address::v4(0, 0, 0, 0, 0), other_loopback_v4(0), Address::v4(0, 0, 0, 0, 0)}};
    for (const Row& row : rows) {
        auto engine = this->open();
        const SocketIndex server = engine.add(reporting_hop_limits(row.server));
        const SocketIndex client = engine.add(reporting_hop_limits(row.client));
        const Address target = with_port(row.target, engine.local(server).port);
        const Train train = make_train(1, 5, 100, 40);
        const auto expect = [&](std::size_t count, int hop_limit) {
            ASSERT_TRUE(engine.await_received(count));
            for (const Delivery& delivery : engine.received) EXPECT_EQ(delivery.hop_limit, hop_limit) << target.port;
        };
        for (const std::uint8_t hop_limit : std::initializer_list<std::uint8_t>{1, 2, 63, 255}) {
            engine.received.clear();
            engine.post(client, "single", target, 0, {}, hop_limit);
            engine.post(client, train.bytes, target, train.segment_bytes, {}, hop_limit);
            engine.turn(0);
            expect(6, hop_limit);
            const Delivery request = engine.received[0];
            engine.received.clear();
            engine.post(server, "answer", request.source, 0, request.local, hop_limit);
            engine.post(server, train.bytes, request.source, train.segment_bytes, request.local, hop_limit);
            engine.turn(0);
            expect(6, hop_limit);
        }
        engine.received.clear();
        engine.post(client, "the socket's own", target);
        engine.turn(0);
        expect(1, 64);
    }
}

TYPED_TEST(Conformance, a_connected_socket_sets_and_reports_hop_limits) {
    for (const Address& bound : {loopback_v4(), loopback_v6()}) {
        auto engine = this->open();
        const SocketIndex server = engine.add(reporting_hop_limits(bound));
        SocketOptions options = connected_to(engine.local(server));
        options.hop_limits = true;
        const SocketIndex client = engine.add(options);
        engine.post(client, "aabb", {}, 2, {}, 9);
        engine.turn(0);
        ASSERT_TRUE(engine.await_received(2));
        engine.post(server, "c", engine.received[0].source, 0, {}, 8);
        engine.turn(0);
        ASSERT_TRUE(engine.await_received(3));
        EXPECT_EQ(engine.received[1].hop_limit, 9);
        EXPECT_EQ(engine.received[2].hop_limit, 8);
        EXPECT_EQ(engine.received[2].socket, client);
    }
}

TYPED_TEST(Conformance, hop_limits_are_not_reported_unless_requested) {
    auto engine = this->open();
    const SocketIndex server = engine.add_bound(any_v6());
    Peer peer(loopback_v4());
    peer.send("a", loopback_v4(engine.local(server).port));
    ASSERT_TRUE(engine.await_received(1));
    EXPECT_EQ(engine.received[0].hop_limit, 0);
}

// A request to a group has a hop limit for that group, usually 1.
TYPED_TEST(Conformance, the_hop_limit_of_multicast_and_broadcast_is_not_reported) {
    EXPECT_TRUE(in_network_namespace(1'500, [this] {
        const Address group = Address::v4(239, 1, 2, 3, 0), broadcast = Address::v4(127, 255, 255, 255, 0);
        for (const Address& bound : {Address::v4(0, 0, 0, 0, 0), any_v6()}) {
            auto engine = this->open();
            SocketOptions options = reporting_hop_limits(bound);
            options.broadcast = true;
            const SocketIndex member = engine.add(options);
            const std::uint16_t port = engine.local(member).port;
            ASSERT_TRUE(engine->socket(member).join(group, "lo"));
            ASSERT_TRUE(engine->socket(member).configure_multicast("lo", 1, MulticastLoop::on, loopback_v4()));
            engine.post(member, "to the group", with_port(group, port));
            engine.post(member, "to all", with_port(broadcast, port));
            engine.post(member, "to one", loopback_v4(port));
            engine.turn(0);
            ASSERT_TRUE(engine.await_received(3));
            for (const Delivery& delivery : engine.received)
                EXPECT_EQ(delivery.hop_limit, delivery.bytes == "to one" ? 64 : 0) << delivery.bytes;
        }
    })) << no_namespace;
}

TYPED_TEST(Conformance, a_socket_receives_only_from_allowed_networks) {
    auto engine = this->open();
    for (const Address& bound : {Address::v4(0, 0, 0, 0, 0), any_v6()}) {
        engine.received.clear();
        SocketOptions options = bound_to(bound);
        options.allowed = {parse_subnet("127.0.0.2").value(), parse_subnet("fd00::/8").value()};
        const SocketIndex server = engine.add(options);
        const std::uint16_t port = engine.local(server).port;
        const std::uint64_t before = engine->counters().not_allowed;
        Peer stranger(loopback_v4()), guest(other_loopback_v4(0));
        stranger.send("a", loopback_v4(port));
        guest.send("b", loopback_v4(port));
        std::uint64_t strangers = 1;
        if (bound.family == Family::v6) {
            Peer stranger_v6(loopback_v6());
            stranger_v6.send("c", loopback_v6(port));
            strangers = 2;
        }
        auto sender = this->open();
        const SocketIndex out = sender.add_connected(loopback_v4(port));
        sender.post(out, make_train(1, 20, 100, 40));
        sender.turn(0);
        guest.send("d", loopback_v4(port));
        ASSERT_TRUE(engine.await_received(2));
        engine.settle();
        EXPECT_EQ(engine.texts(), (std::vector<std::string>{"b", "d"}));
        EXPECT_EQ(engine->counters().not_allowed - before, strangers + 20);
        engine->remove(server);
    }
}

}  // namespace
}  // namespace ringpost::test
