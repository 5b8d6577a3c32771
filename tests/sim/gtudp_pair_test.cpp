// Two gtUDP endpoints over one link.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "codec/gtudp/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address a_address = Address::v4(10, 0, 0, 1, 1000), b_address = Address::v4(10, 0, 0, 2, 2000);

gtudp::Options options_of(std::uint64_t seed) {
    gtudp::Options options;
    options.sends_max = options.receives_max = 4096;
    options.peers_max = 16;
    options.payload_bytes = 1 << 20;
    options.event_bytes = 2 << 20;
    options.seed = seed;
    options.key = {seed, ~seed};
    options.first_identity = static_cast<std::uint32_t>(0u - 500u);
    options.resending.data_sends_max = options.resending.recv_sends_max = 60;
    return options;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(GtudpPair, ThirtyPercentLossIsSurvivedWithFewDatagrams) {
    for_each_seed(3, [](std::uint64_t seed) {
        gtudp::Endpoint a(options_of(seed)), b(options_of(seed + 1000));
        std::map<std::string, int> delivered;
        int confirmed = 0;
        Network network(seed);
        const auto node_a = network.add(a_address, a, [&](Instant, const gtudp::Event& event) {
            confirmed += event.outcome == gtudp::Outcome::confirmed;
        });
        const auto node_b = network.add(b_address, b, [&](Instant, const gtudp::Event& event) {
            ++delivered[std::string(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size())];
        });
        const double p = 0.3, q = 1 - p;
        network.link_both(node_a, node_b, {.loss = p, .delay = 10 * millisecond});
        const int total = 4000;
        for (int i = 0; i < total; ++i) {
            ASSERT_TRUE(a.send(network.now(), b_address, bytes_of("message " + std::to_string(i))).has_value());
            network.wake(node_a);
            if (i % 100 == 0) network.run_until(network.now() + 5 * millisecond);
        }
        EXPECT_NE(network.run(), Outcome::livelock);
        EXPECT_EQ(confirmed, total);
        EXPECT_EQ(delivered.size(), static_cast<std::size_t>(total));
        for (const auto& [text, count] : delivered) EXPECT_EQ(count, 1) << text;
        const double least = total * (1 / q + 1 / (q * q) + 1 / q);
        const auto sent =
            static_cast<double>(network.counts(node_a, node_b).sent + network.counts(node_b, node_a).sent);
        RecordProperty("datagrams_over_minimum", std::to_string(sent / least));
        EXPECT_LT(sent, 1.25 * least);
        std::printf("sent %.0f least %.0f ratio %.3f naive %.3f\n", sent, least, sent / least, sent / (total * 3 / q));
    });
}

}  // namespace
}  // namespace ringpost::sim
