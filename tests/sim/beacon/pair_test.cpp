// Two beacons send to each other. Every delivered datagram becomes one event, in order. The oracle knows which
// datagrams were corrupted and when each was sent.

#include <gtest/gtest.h>

#include <string>

#include "codec/beacon/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address beacon_addresses[] = {Address::v4(10, 0, 0, 1, 5'005), Address::v4(10, 0, 0, 2, 5'005)};
constexpr Duration unix_offset = 1'700'000'000 * second + 123'456'789;
constexpr std::uint64_t rounds = 30;

// An event with a copy of the quote, whose view is only valid until the next call.
struct Received {
    beacon::Event event;
    std::string quote;
};

std::int64_t unix_s(Instant at) { return (at + unix_offset) / second; }

struct BeaconPlay {
    BeaconPlay(std::uint64_t seed, const Link& link, Duration period) : network(seed) {
        for (std::size_t i = 0; i < 2; ++i) {
            beacon::Options options;
            const auto last = static_cast<std::uint8_t>(i);
            options.targets = {{beacon_addresses[1 - i], {10, 0, 0, last}}};
            options.advertised_port = static_cast<std::uint16_t>(5'005 + i);
            options.quote = i == 0 ? "„Guten Tag“" : "";
            options.period = period;
            options.rounds = rounds;
            options.start = static_cast<Instant>(i) * 700 * millisecond;
            options.unix_offset = unix_offset;
            options.key = {seed, i};
            quotes[i] = options.quote;
            beacons[i] = std::make_unique<beacon::Endpoint>(options);
            network.add(beacon_addresses[i], *beacons[i], [this, i](Instant, const beacon::Event& event) {
                received[i].push_back({event, std::string(event.quote)});
            });
        }
        network.link_both(0, 1, link);
    }

    void expect_truth(std::size_t i) {
        const auto& deliveries = network.deliveries(i);
        ASSERT_EQ(received[i].size(), deliveries.size());
        std::uint64_t bad = 0;
        for (std::size_t n = 0; n < deliveries.size(); ++n) {
            const Delivery& delivery = deliveries[n];
            const beacon::Event& event = received[i][n].event;
            EXPECT_EQ(event.source, beacon_addresses[1 - i]);
            EXPECT_EQ(event.count, n + 1);
            EXPECT_EQ(!event.error, delivery.intact);
            bad += !delivery.intact;
            if (event.error) continue;
            EXPECT_EQ(event.elapsed_s, unix_s(delivery.at) - unix_s(delivery.sent_at));
            EXPECT_EQ(event.ipv4, (std::array<std::uint8_t, 4>{10, 0, 0, static_cast<std::uint8_t>(1 - i)}));
            EXPECT_EQ(event.port, 5'005 + (1 - i));
            EXPECT_EQ(received[i][n].quote, quotes[1 - i]);
        }
        const beacon::Counters counts = beacons[i]->counters();
        EXPECT_EQ(counts.sent, rounds);
        EXPECT_EQ(counts.received, deliveries.size());
        EXPECT_EQ(counts.too_short + counts.checksum + counts.not_utf8, bad);
        EXPECT_EQ(counts.events_dropped, 0u);
        EXPECT_TRUE(beacons[i]->finished());
    }

    Network network;
    std::string quotes[2];
    std::unique_ptr<beacon::Endpoint> beacons[2];
    std::vector<Received> received[2];
};

TEST(BeaconPair, each_receives_every_beacon_of_the_other) {
    BeaconPlay play(1, {.delay = 3 * millisecond}, 2 * second);
    ASSERT_EQ(play.network.run(), Outcome::idle);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(play.received[i].size(), rounds);
        play.expect_truth(i);
    }
    EXPECT_EQ(play.network.now(), 700 * millisecond + (rounds - 1) * 2 * second + 3 * millisecond);
}

TEST(BeaconPair, each_reports_what_the_link_delivers) {
    for_each_seed(40, [](std::uint64_t seed) {
        Random random(~seed);
        // Adler-32 detects every single flipped bit.
        const Link link{.loss = 0.2,
                        .duplicate = 0.2,
                        .corrupt = 0.2,
                        .truncate = 0.1,
                        .corrupt_bits_max = 1,
                        .delay = static_cast<Duration>(random.below(3'000'000'000)),
                        .jitter = static_cast<Duration>(random.below(3'000'000'000))};
        BeaconPlay play(seed, link, static_cast<Duration>(random.between(1, 2'000'000'000)));
        ASSERT_EQ(play.network.run(), Outcome::idle);
        for (std::size_t i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(play.expect_truth(i));
    });
}

TEST(BeaconPair, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        BeaconPlay play(seed, {.loss = 0.2, .duplicate = 0.2, .jitter = second}, second);
        EXPECT_EQ(play.network.run(), Outcome::idle);
        return play.network.trace_hash();
    };
    for_each_seed(5, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
}

}  // namespace
}  // namespace ringpost::sim
