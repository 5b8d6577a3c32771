// Datagrams arrive complete, once, in order and with their source address, on both backends.

#include "tests/kernel/loop/conformance.hpp"

namespace ringpost::test {
namespace {

TYPED_TEST_SUITE(Conformance, Cases, CaseNames);

TYPED_TEST(Conformance, a_datagram_crosses_both_ways_with_its_source) {
    for (const Address& local : {loopback_v4(), loopback_v6()}) {
        auto engine = this->open();
        const SocketIndex socket = engine.add_bound(local);
        Peer peer(local);
        peer.send("ping", engine.local(socket));
        ASSERT_TRUE(engine.await_received(1));
        EXPECT_EQ(engine.received[0].bytes, "ping");
        EXPECT_EQ(engine.received[0].source, peer.local());
        EXPECT_EQ(engine.received[0].socket, socket);
        engine.post(socket, "pong", engine.received[0].source);
        engine.turn(0);
        const auto answer = peer.receive();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->bytes, "pong");
        EXPECT_EQ(answer->source, engine.local(socket));
        EXPECT_EQ(engine->counters().sent, 1u);
        EXPECT_EQ(engine->counters().received, 1u);
    }
}

TYPED_TEST(Conformance, an_ipv4_peer_of_a_dual_stack_socket_is_reported_as_ipv4) {
    auto engine = this->open();
    const SocketIndex socket = engine.add_bound(any_v6());
    const std::uint16_t port = engine.local(socket).port;
    Peer v4(loopback_v4()), v6(loopback_v6());
    v4.send("four", loopback_v4(port));
    ASSERT_TRUE(engine.await_received(1));
    v6.send("six", loopback_v6(port));
    ASSERT_TRUE(engine.await_received(2));
    EXPECT_EQ(engine.received[0].source, v4.local());
    EXPECT_EQ(engine.received[1].source, v6.local());
    engine.post(socket, "back to four", v4.local());
    engine.post(socket, "back to six", v6.local());
    engine.turn(0);
    EXPECT_EQ(v4.receive_texts(1), std::vector<std::string>{"back to four"});
    EXPECT_EQ(v6.receive_texts(1), std::vector<std::string>{"back to six"});
}

TYPED_TEST(Conformance, a_connected_socket_needs_no_destination_and_receives_only_from_its_peer) {
    for (const Address& local : {loopback_v4(), loopback_v6()})
        for (const bool gro : {true, false}) {
            auto engine = this->open();
            Peer peer(local), stranger(local);
            const SocketIndex socket = engine.add(connected_to(peer.local(), gro));
            engine.post(socket, "hello");
            engine.turn(0);
            const auto request = peer.receive();
            ASSERT_TRUE(request);
            EXPECT_EQ(request->bytes, "hello");
            stranger.send("not for you", request->source);
            peer.send("answer", request->source);
            ASSERT_TRUE(engine.await_received(1));
            engine.settle();
            ASSERT_EQ(engine.received.size(), 1u);
            EXPECT_EQ(engine.received[0].bytes, "answer");
            EXPECT_EQ(engine.received[0].source, peer.local());
        }
}

TYPED_TEST(Conformance, empty_datagrams_arrive_and_receiving_goes_on) {
    for (const bool connected : {true, false})
        for (const bool gro : {true, false}) {
            auto engine = this->open();
            Peer peer(loopback_v4());
            SocketOptions options = bound_to(loopback_v4(), gro);
            if (connected) options.connect = peer.local();
            const SocketIndex socket = engine.add(options);
            const std::vector<std::string> texts{"", "a", "", "", "b", ""};
            for (int round = 0; round < 3; ++round) {
                for (const std::string& text : texts) peer.send(text, engine.local(socket));
                ASSERT_TRUE(engine.await_received(texts.size()));
                EXPECT_EQ(engine.texts(), texts);
                engine.received.clear();
                for (const std::string& text : texts) engine.post(socket, text, connected ? Address{} : peer.local());
                engine.turn(0);
                EXPECT_EQ(peer.receive_texts(texts.size()), texts);
            }
        }
}

TYPED_TEST(Conformance, the_largest_datagram_crosses_both_ways) {
    for (const Address& local : {loopback_v4(), loopback_v6()})
        for (const bool gro : {true, false}) {
            auto engine = this->open();
            const SocketIndex socket = engine.add_bound(local, gro);
            Peer peer(local);
            const std::string largest = numbered(1, limits::datagram_bytes_max);
            peer.send(largest, engine.local(socket));
            ASSERT_TRUE(engine.await_received(1));
            EXPECT_EQ(engine.texts(), std::vector{largest});
            engine.post(socket, largest, peer.local());
            engine.turn(0);
            EXPECT_EQ(peer.receive_texts(1), std::vector{largest});
        }
}

TYPED_TEST(Conformance, more_datagrams_than_buffers_arrive_in_order_when_drained) {
    for (const bool gro : {true, false}) {
        auto engine = this->open();
        const SocketIndex socket = engine.add_bound(loopback_v4(), gro);
        Peer peer(loopback_v4());
        constexpr std::uint32_t total = 2'000, at_once = 150;
        std::vector<std::string> sent;
        for (std::uint32_t first = 0; first < total; first += at_once) {
            for (std::uint32_t i = first; i < std::min(first + at_once, total); ++i) {
                sent.push_back(numbered(i, 4 + i % 90));
                peer.send(sent.back(), engine.local(socket));
            }
            ASSERT_TRUE(engine.await_received(sent.size()));
        }
        EXPECT_EQ(engine.texts(), sent);
        EXPECT_EQ(engine->counters().received, total);
        EXPECT_EQ(engine->counters().socket_dropped, 0u);
    }
}

TYPED_TEST(Conformance, more_sends_than_the_queue_holds_leave_in_order) {
    // All buffers full of single datagrams: many times the submission queue.
    auto engine = this->open({.gso = false});
    Peer peer(loopback_v4());
    const int bytes = 8 << 20;
    setsockopt(peer.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    int granted = 0;
    socklen_t length = sizeof granted;
    getsockopt(peer.fd(), SOL_SOCKET, SO_RCVBUF, &granted, &length);
    if (granted < bytes) GTEST_SKIP() << "no permission for a large receive buffer";
    constexpr std::uint32_t at_once = 64;
    const SocketIndex socket = engine.add_connected(peer.local());
    std::vector<std::string> sent;
    for (std::uint32_t i = 0; i < limits::transmit_buffers_max; ++i) {
        const Train train = make_train(i * at_once, at_once, 20, 20);
        engine.post(socket, train);
        sent.insert(sent.end(), train.datagrams.begin(), train.datagrams.end());
    }
    engine.turn(0);
    EXPECT_TRUE(engine.run_until([&] { return engine->counters().sent == sent.size(); }));
    EXPECT_EQ(peer.receive_texts(sent.size()), sent);
}

TYPED_TEST(Conformance, a_train_arrives_whole_and_in_order_with_and_without_gro) {
    for (const Address& local : {loopback_v4(), loopback_v6()})
        for (const bool gro : {true, false}) {
            auto engine = this->open();
            const SocketIndex target = engine.add_bound(local, gro);
            const SocketIndex source = engine.add_bound(local);
            const Train train = make_train(100, 40, 1'000, 123);
            engine.post(source, train, engine.local(target));
            ASSERT_TRUE(engine.await_received(40));
            EXPECT_EQ(engine.texts(), train.datagrams);
            for (const Delivery& delivery : engine.received) {
                EXPECT_EQ(delivery.source, engine.local(source));
                EXPECT_EQ(delivery.socket, target);
            }
            const EngineCounters counters = engine->counters();
            EXPECT_EQ(counters.sent, 40u);
            EXPECT_EQ(counters.received, 40u);
            // Loopback passes a train unchanged if the receiver has GRO enabled.
            EXPECT_EQ(counters.sent_trains, kernel_train_segments() > 1 ? 1u : 40u);
            EXPECT_EQ(counters.received_trains, kernel_train_segments() > 1 && gro ? 1u : 40u);
        }
}

TYPED_TEST(Conformance, trains_of_every_length_arrive) {
    for (const bool gro : {true, false}) {
        auto engine = this->open();
        const SocketIndex target = engine.add_bound(loopback_v4(), gro);
        const SocketIndex source = engine.add_connected(engine.local(target));
        std::size_t received = 0;
        for (std::uint32_t count = 1; count <= limits::train_segments_max; ++count) {
            // Alternates between an equal and a shorter last segment.
            const Train train = make_train(count * 1'000, count, 24, count % 2 == 0 ? 24 : 1 + count % 23);
            engine.received.clear();
            engine.post(source, train);
            ASSERT_TRUE(engine.await_received(count)) << "segments " << count;
            ASSERT_EQ(engine.texts(), train.datagrams) << "segments " << count;
            received += count;
        }
        EXPECT_EQ(engine->counters().sent, received);
        EXPECT_EQ(engine->counters().send_failed, 0u);
    }
}

TYPED_TEST(Conformance, trains_and_singles_of_many_sizes_keep_their_order) {
    auto engine = this->open();
    const SocketIndex target = engine.add_bound(loopback_v4());
    const SocketIndex source = engine.add_connected(engine.local(target));
    std::vector<std::string> sent;
    for (std::uint32_t i = 0; i < 60; ++i) {
        const std::size_t segment_bytes = 1 + i * 37 % 1'400;
        const Train train = make_train(i * 1'000, 1 + i * 13 % 40, segment_bytes, 1 + i % segment_bytes);
        engine.post(source, train);
        sent.insert(sent.end(), train.datagrams.begin(), train.datagrams.end());
        ASSERT_TRUE(i % 3 != 0 || engine.await_received(sent.size()));
    }
    ASSERT_TRUE(engine.await_received(sent.size()));
    EXPECT_EQ(engine.texts(), sent);
}

TYPED_TEST(Conformance, the_largest_train_arrives) {
    auto engine = this->open();
    const SocketIndex target = engine.add_bound(loopback_v4());
    const SocketIndex source = engine.add_connected(engine.local(target));
    // 65,507 bytes in total: fills a receive buffer.
    const Train train = make_train(0, 47, 1'400, limits::datagram_bytes_max - 46 * 1'400);
    ASSERT_EQ(train.bytes.size(), limits::datagram_bytes_max);
    for (int round = 0; round < 3; ++round) {
        engine.received.clear();
        engine.post(source, train);
        ASSERT_TRUE(engine.await_received(47));
        EXPECT_EQ(engine.texts(), train.datagrams);
    }
    EXPECT_EQ(engine->counters().truncated, 0u);
}

TYPED_TEST(Conformance, without_gso_every_datagram_is_sent_separately) {
    auto engine = this->open({.gso = false});
    const SocketIndex target = engine.add_bound(loopback_v4());
    const SocketIndex source = engine.add_connected(engine.local(target));
    const Train train = make_train(0, 50, 64, 10);
    engine.post(source, train);
    ASSERT_TRUE(engine.await_received(50));
    EXPECT_EQ(engine.texts(), train.datagrams);
    EXPECT_EQ(engine->counters().sent, 50u);
    EXPECT_EQ(engine->counters().sent_trains, 50u);
}

TYPED_TEST(Conformance, a_train_over_the_paths_mtu_falls_back_to_single_datagrams) {
    const bool made = in_network_namespace(1'500, [this] {
        auto engine = this->open();
        const SocketIndex target = engine.add_bound(loopback_v4());
        const SocketIndex source = engine.add_connected(engine.local(target));
        std::vector<std::string> sent;
        for (std::uint32_t i = 0; i < 3; ++i) {
            const Train train = make_train(i * 100, 10, 2'000, 77);
            engine.post(source, train);
            sent.insert(sent.end(), train.datagrams.begin(), train.datagrams.end());
            ASSERT_TRUE(engine.await_received(sent.size()));
        }
        EXPECT_EQ(engine.texts(), sent);
        EXPECT_EQ(engine->counters().sent, sent.size());
        EXPECT_EQ(engine->counters().sent_trains, sent.size());
        EXPECT_EQ(engine->counters().send_failed, 0u);
    });
    if (!made) GTEST_SKIP() << no_namespace;
}

}  // namespace
}  // namespace ringpost::test
