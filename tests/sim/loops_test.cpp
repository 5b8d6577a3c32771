// A datagram with a forged source starts a loop of servers that answer each other. The network has no routers, so only
// the servers end it: each datagram has one hop less than the one that it answers.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "codec/echo/endpoint.hpp"
#include "codec/relay/endpoint.hpp"
#include "codec/traffic/answering_sink.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {
namespace {

constexpr std::uint64_t hops_max = 255;

Address host(std::uint8_t number) { return Address::v4(10, 0, 0, number, 5'000); }

/// A datagram that `endpoint` at `target` receives from the forged `source`, with the highest hop limit.
template <class Endpoint>
void forge(Endpoint& endpoint, const Address& source, const Address& target,
           std::span<const std::byte> bytes = std::as_bytes(std::span("loop?"))) {
    Datagram in{source, 0, bytes};
    in.local = target;
    in.hop_limit = hops_max;
    endpoint.handle(0, in);
}

class Loops : public testing::Test {
  protected:
    template <class Endpoint>
    NodeIndex add(std::uint8_t number, Endpoint& endpoint) {
        const NodeIndex node = network.add(host(number), endpoint);
        network.report_hop_limits(node);
        return node;
    }
    NodeIndex add_relay(std::uint8_t number, const Address& target, relay::Options options = {}) {
        options.held_bytes_max = 8u << 20;
        options.held_max = 1'024;
        relays.push_back(std::make_unique<relay::Endpoint>(options));
        relay::Endpoint& relay = *relays.back();
        const auto attach = [&relay, socket = SocketIndex{0}](Instant, const relay::Event& event) mutable {
            if (event.kind == relay::Event::Kind::new_client) {
                EXPECT_TRUE(relay.attach(event.client, ++socket));
            }
        };
        const NodeIndex node = network.add(host(number), relay, attach);
        network.connect(node, target);
        network.report_hop_limits(node);
        return node;
    }
    void expect_end(std::uint64_t hops) {
        ASSERT_EQ(network.run(), Outcome::idle);
        std::uint64_t sent = 0;
        for (NodeIndex node = 0; node < nodes; ++node) sent += network.deliveries(node).size();
        EXPECT_EQ(sent, hops);
    }

    Network network{1};
    NodeIndex nodes = 0;
    std::vector<std::unique_ptr<relay::Endpoint>> relays;
    echo::Endpoint first, second;
};

TEST_F(Loops, two_echoes) {
    add(1, first);
    add(2, second);
    nodes = 2;
    forge(first, host(2), host(1));
    network.wake(0);
    expect_end(hops_max - 1);
    EXPECT_EQ(first.counters().hops_exhausted + second.counters().hops_exhausted, 1u);
}

TEST_F(Loops, a_ring_of_forged_datagrams) {
    add(1, first);
    add(2, second);
    nodes = 2;
    for (int i = 0; i < 100; ++i) {
        forge(first, host(2), host(1));
        forge(second, host(1), host(2));
    }
    network.wake(0);
    network.wake(1);
    expect_end(200 * (hops_max - 1));
}

TEST_F(Loops, an_echo_with_itself) {
    add(1, first);
    nodes = 1;
    forge(first, host(1), host(1));
    network.wake(0);
    expect_end(0);
    EXPECT_EQ(first.counters().refused, 1u);
}

// Its host has several addresses, and the forged source is another one than the target.
TEST_F(Loops, an_echo_with_itself_by_another_address) {
    add(1, first);
    nodes = 1;
    forge(first, host(1), host(9));
    network.wake(0);
    expect_end(1);
    EXPECT_EQ(first.counters().refused, 1u);
}

TEST_F(Loops, a_relay_in_front_of_an_echo_that_seems_to_be_its_client) {
    for (const bool knows_target : {true, false}) {
        Network fresh(1);
        echo::Endpoint echo;
        relay::Options options;
        if (knows_target) options.target = host(2);
        options.held_bytes_max = 8u << 20;
        options.held_max = 1'024;
        relay::Endpoint relay(options);
        SocketIndex socket = 0;
        const NodeIndex node = fresh.add(host(1), relay, [&](Instant, const relay::Event& event) {
            if (event.kind == relay::Event::Kind::new_client) {
                EXPECT_TRUE(relay.attach(event.client, ++socket));
            }
        });
        fresh.report_hop_limits(node);
        fresh.report_hop_limits(fresh.add(host(2), echo));
        fresh.connect(node, host(2));
        forge(relay, host(2), host(1));
        fresh.wake(node);
        ASSERT_EQ(fresh.run(), Outcome::idle);
        EXPECT_EQ(echo.counters().received, knows_target ? 0 : hops_max / 2);
        EXPECT_EQ(relay.counts(relay::Direction::to_target).refused, knows_target ? 1u : 0u);
    }
}

TEST_F(Loops, a_relay_between_two_echoes) {
    add_relay(1, host(2), {.target = host(2)});
    add(2, first);
    add(3, second);
    nodes = 3;
    forge(*relays[0], host(3), host(1));
    network.wake(0);
    expect_end(hops_max - 1);
}

TEST_F(Loops, two_relays_in_front_of_each_other) {
    add_relay(1, host(2), {.target = host(2)});
    add_relay(2, host(1), {.target = host(1)});
    nodes = 2;
    forge(*relays[0], host(9), host(1));
    network.wake(0);
    expect_end(hops_max - 1);
}

TEST_F(Loops, a_sink_that_answers_and_an_echo) {
    traffic::AnsweringSink sink({.sink = {.key = {1, 2}}, .seed = 3});
    add(1, sink);
    add(2, first);
    nodes = 2;
    std::array<std::byte, traffic::frame_bytes_min> frame{};
    traffic::encode({.stream = 1, .sequence = 0, .due = 0}, frame);
    forge(first, host(1), host(2), frame);
    network.wake(1);
    ASSERT_EQ(network.run(), Outcome::idle);
    EXPECT_EQ(network.deliveries(0).size(), 2u) << "the forged frame, and the answer that the echo returns";
    EXPECT_EQ(network.deliveries(1).size(), 1u) << "the answer";
}

// The forged datagram is DATA: each echo sends what it received as a message of its own.
TEST_F(Loops, two_echoes_over_gtudp) {
    traffic::GtudpTunnelOptions options{.wire = {}, .target = {}};
    options.wire.sends_max = options.wire.receives_max = 1'024;
    options.wire.peers_max = 16;
    traffic::GtudpTunnel one(first, options), two(second, options);
    add(1, one);
    add(2, two);
    nodes = 2;
    std::vector<std::byte> data(options.wire.codec.header_bytes() + 4);
    options.wire.codec.write_header(data.data(), gtudp::Kind::data, 7);
    forge(one, host(2), host(1), data);
    network.wake(0);
    ASSERT_EQ(network.run_until(1'000 * ringpost::second), Outcome::idle);
    EXPECT_LE(first.counters().received + second.counters().received, hops_max);
    EXPECT_GT(one.wire().counters().hops_exhausted + two.wire().counters().hops_exhausted, 0u);
    forge(one, host(1), host(1), data);
    network.wake(0);
    const std::uint64_t before = first.counters().received;
    ASSERT_EQ(network.run_until(2'000 * ringpost::second), Outcome::idle);
    EXPECT_LE(first.counters().received, before + hops_max);
}

TEST_F(Loops, an_honest_client_is_answered_over_many_routers) {
    // 30 routers there and back: a request with a hop limit of 64 arrives with 34.
    Datagram in{host(2), 0, {}};
    in.local = host(1);
    in.hop_limit = 34;
    first.handle(0, in);
    std::vector<std::byte> out(limits::datagram_bytes_max);
    const auto reply = first.poll_transmit(0, out);
    ASSERT_TRUE(reply);
    EXPECT_GT(reply->hop_limit, 30);
}

}  // namespace
}  // namespace ringpost::sim
