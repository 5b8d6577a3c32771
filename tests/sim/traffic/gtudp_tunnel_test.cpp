// The endpoints of `load` over gtUDP: everything they send arrives once, despite losses and duplicates.

#include <gtest/gtest.h>

#include "codec/echo/endpoint.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"
#include "codec/traffic/prober.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

constexpr SipKey key{1, 2};
const Address tunnel_client = Address::v4(10, 0, 0, 1, 1000), tunnel_server = Address::v4(10, 0, 0, 2, 2000);
const Link lossy{.loss = 0.1, .duplicate = 0.05, .delay = 5 * millisecond, .jitter = 3 * millisecond};

traffic::GtudpTunnelOptions tunnel(std::uint64_t seed, const Address& target) {
    traffic::GtudpTunnelOptions options{.wire = {}, .target = target, .window = 256};
    options.wire.sends_max = options.wire.receives_max = 4'096;
    options.wire.peers_max = 16;
    options.wire.seed = seed;
    options.wire.first_identity = static_cast<gtudp::Identity>(seed * 0x9e3779b9u);
    options.wire.key = {seed, ~seed};
    options.wire.resending.data_sends_max = options.wire.resending.recv_sends_max = 100;
    return options;
}

TEST(GtudpTunnel, every_datagram_of_a_source_reaches_the_sink_once) {
    for_each_seed(20, [](std::uint64_t seed) {
        traffic::Source source({.stream = 7, .train_segments = 128, .start = 0, .count = 3'000});
        traffic::Sink sink({.key = key});
        traffic::GtudpTunnel from(source, tunnel(seed, tunnel_server));
        traffic::GtudpTunnel to(sink, tunnel(~seed, {}));
        Network network(seed);
        const auto client = network.add(tunnel_client, from), server = network.add(tunnel_server, to);
        network.connect(client, tunnel_server);
        network.link_both(client, server, lossy);
        network.run_until(100 * second);
        const traffic::SinkCounters counts = sink.counters();
        EXPECT_EQ(counts.received, 3'000u);
        EXPECT_EQ(counts.lost + counts.duplicate + counts.corrupt, 0u);
        EXPECT_EQ(from.confirmed().count(), 3'000u);
        EXPECT_GE(from.confirmed().min(), 2 * lossy.delay);
        EXPECT_EQ(from.refused(), 0u);
        EXPECT_EQ(from.wire().in_flight(), 0u);
    });
}

TEST(GtudpTunnel, the_window_is_never_exceeded) {
    traffic::Source source({.stream = 7, .train_segments = 128, .start = 0, .count = 10'000});
    traffic::GtudpTunnel from(source, tunnel(1, tunnel_server));
    Network network(1);
    network.add(tunnel_client, from);
    network.run_until(100 * millisecond);  // no replies
    EXPECT_EQ(from.wire().in_flight(), 256u);
    EXPECT_EQ(source.sent(), 256u);
    EXPECT_EQ(from.refused(), 0u);
}

TEST(GtudpTunnel, every_probe_is_echoed_once) {
    for_each_seed(20, [](std::uint64_t seed) {
        traffic::Prober prober({.stream = 9, .rate_per_s = 1'000, .start = 0, .count = 1'000});
        echo::Endpoint echo;
        traffic::GtudpTunnelOptions options = tunnel(seed, tunnel_server);
        options.train_segments = 1;
        traffic::GtudpTunnel from(prober, options);
        traffic::GtudpTunnel to(echo, tunnel(~seed, {}));
        Network network(seed);
        const auto client = network.add(tunnel_client, from), server = network.add(tunnel_server, to);
        network.connect(client, tunnel_server);
        network.link_both(client, server, lossy);
        network.run_until(100 * second);
        EXPECT_EQ(prober.counters().sent, 1'000u);
        EXPECT_EQ(prober.counters().lost(), 0u);
        EXPECT_EQ(prober.counters().duplicate + prober.counters().corrupt + prober.counters().foreign, 0u);
        EXPECT_EQ(from.confirmed().count(), 1'000u);
        EXPECT_EQ(to.confirmed().count(), 1'000u);
    });
}

}  // namespace
}  // namespace ringpost::sim
