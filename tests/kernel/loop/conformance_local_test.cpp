// The local address of received datagrams, replies from that address, and the ECN field.

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

}  // namespace
}  // namespace ringpost::test
