// A relay between senders and a server in a network whose own links are perfect and have no delay, so all effects are
// the relay's. The oracles are the reports of the two ends.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "codec/echo/endpoint.hpp"
#include "codec/relay/endpoint.hpp"
#include "codec/traffic/prober.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

using relay::Direction;
using relay::Impairments;

const Address relay_address = Address::v4(10, 0, 0, 2, 2'000);
const Address server_address = Address::v4(10, 0, 0, 3, 3'000);
constexpr Instant start = second;

Address client_address(std::size_t i) { return Address::v4(10, 0, 1, static_cast<std::uint8_t>(i), 1'000); }

/// A relay with a server behind it.
template <class Server>
struct RelayPlay {
    RelayPlay(std::uint64_t seed, const relay::Options& options, Server& server_endpoint)
        : network(seed), relay(small(options)) {
        middle = network.add(relay_address, relay, [this](Instant, const relay::Event& event) {
            if (event.kind == relay::Event::Kind::new_client) {
                EXPECT_TRUE(relay.attach(event.client, ++sockets));
            }
        });
        server = network.add(server_address, server_endpoint);
        network.connect(middle, server_address);
        network.link_both(middle, server, {.delay = 0});
    }

    template <class Client>
    NodeIndex add_client(Client& client) {
        const NodeIndex node = network.add(client_address(clients++), client);
        network.connect(node, relay_address);
        network.link_both(node, middle, {.delay = 0});
        return node;
    }

    // Just enough memory for a test, since a relay allocates at construction.
    static relay::Options small(relay::Options options) {
        options.held_bytes_max = 8u << 20;
        options.held_max = 8'192;
        return options;
    }

    void expect_balance() const {
        EXPECT_EQ(relay.held(), 0u);
        for (const Direction direction : {Direction::to_target, Direction::to_client}) {
            const relay::Counters& counts = relay.counts(direction);
            EXPECT_EQ(counts.received + counts.duplicated, counts.forwarded + counts.lost + counts.burst_lost +
                                                               counts.blackholed + counts.overflow + counts.abandoned +
                                                               counts.refused + counts.hops_exhausted);
        }
    }

    Network network;
    relay::Endpoint relay;
    NodeIndex middle = 0, server = 0;
    SocketIndex sockets = 0;
    std::size_t clients = 0;
};

Impairments random_impairments(Random& random) {
    const auto sometimes = [&](double most) {
        return random.chance(0.4) ? most * static_cast<double>(random.below(100)) / 100 : 0;
    };
    return {.loss = sometimes(0.3),
            .burst = sometimes(0.05),
            .burst_datagrams = static_cast<std::uint32_t>(random.between(1, 20)),
            .duplicate = sometimes(0.3),
            .corrupt = sometimes(0.2),
            .reorder = sometimes(0.3),
            .rate_bits_per_s = random.chance(0.3) ? random.between(1'000'000, 1'000'000'000) : 0,
            .delay = static_cast<Duration>(random.below(20'000'000)),
            .jitter = static_cast<Duration>(sometimes(3e6)),
            .blackhole_on = random.chance(0.2) ? static_cast<Duration>(random.between(1, 1'000'000)) : 0,
            .blackhole_off = static_cast<Duration>(random.between(1, 3'000'000))};
}

TEST(Relay, the_sink_observes_exactly_what_the_relay_reports) {
    for_each_seed(200, [](std::uint64_t seed) {
        Random random(~seed);
        const Impairments impairments = random_impairments(random);
        traffic::Sink sink({.key = SipKey{seed, 1}});
        RelayPlay play(seed, {.to_target = impairments, .seed = seed, .start = start}, sink);
        const double rates[] = {0, 1e4, 3e5};
        const std::size_t sizes[] = {24, 64, 1'400};
        traffic::Source source({.sizes = traffic::Sizes::fixed(random.one_of<std::size_t>(sizes)),
                                .stream = 7,
                                .rate_per_s = random.one_of<double>(rates),
                                .train_segments = random.between(1, 128),
                                .start = start,
                                .count = random.between(1, 1'500)});
        play.add_client(source);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        play.expect_balance();
        const relay::Counters& relayed = play.relay.counts(Direction::to_target);
        const traffic::SinkCounters counts = sink.counters();
        EXPECT_EQ(relayed.received, source.sent());
        EXPECT_EQ(counts.received, relayed.forwarded);
        EXPECT_EQ(counts.corrupt, relayed.corrupted);
        EXPECT_LE(counts.duplicate, relayed.duplicated);
        const bool in_order = impairments.jitter == 0 && impairments.reorder == 0;
        EXPECT_TRUE(!in_order || counts.reordered == 0);
        const bool all_copies_came = impairments.corrupt == 0 && relayed.overflow == 0;
        EXPECT_TRUE(!all_copies_came || counts.duplicate == relayed.duplicated);
    });
}

TEST(Relay, the_delay_applies_once_in_each_direction) {
    echo::Endpoint echo;
    RelayPlay play(
        1, {.to_target = {.delay = 10 * millisecond}, .to_client = {.delay = 3 * millisecond}, .start = start}, echo);
    traffic::Prober prober({.stream = 9, .start = start, .count = 50});
    play.add_client(prober);
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(prober.response().count(), 50u);
    EXPECT_EQ(prober.response().min(), 13 * millisecond);
    EXPECT_EQ(prober.response().max(), 13 * millisecond);
}

TEST(Relay, every_client_receives_its_own_replies_in_order) {
    for_each_seed(20, [](std::uint64_t seed) {
        constexpr std::size_t clients = 8;
        echo::Endpoint echo;
        const Impairments slow{.delay = 2 * millisecond};
        RelayPlay play(seed, {.to_target = slow, .to_client = slow, .seed = seed, .start = start}, echo);
        std::vector<std::unique_ptr<traffic::Prober>> probers;
        for (std::size_t i = 0; i < clients; ++i) {
            probers.push_back(std::make_unique<traffic::Prober>(
                traffic::ProberOptions{.stream = static_cast<std::uint32_t>(i),
                                       .rate_per_s = 1e4 * static_cast<double>(i + 1),
                                       .start = start + static_cast<Duration>(seed * i),
                                       .count = 300}));
            play.add_client(*probers.back());
        }
        ASSERT_EQ(play.network.run(), Outcome::idle);
        for (const auto& prober : probers) {
            const traffic::ProberCounters& counts = prober->counters();
            EXPECT_EQ(counts.sent, 300u);
            EXPECT_EQ(counts.received, 300u);
            EXPECT_EQ(counts.foreign + counts.corrupt + counts.duplicate + counts.reordered, 0u);
        }
        EXPECT_EQ(play.relay.clients().clients, clients);
        play.expect_balance();
    });
}

TEST(Relay, a_prober_counts_losses_in_both_directions) {
    for_each_seed(50, [](std::uint64_t seed) {
        echo::Endpoint echo;
        const Impairments lossy{.loss = 0.1, .burst = 0.01, .burst_datagrams = 4, .delay = millisecond};
        RelayPlay play(seed, {.to_target = lossy, .to_client = lossy, .seed = seed, .start = start}, echo);
        traffic::Prober prober({.stream = 3, .rate_per_s = 1e4, .start = start, .count = 1'000});
        play.add_client(prober);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        const relay::Counters &there = play.relay.counts(Direction::to_target),
                              &back = play.relay.counts(Direction::to_client);
        EXPECT_EQ(prober.counters().lost(), there.lost + there.burst_lost + back.lost + back.burst_lost);
        EXPECT_GT(there.lost, 0u);
        EXPECT_GT(back.lost, 0u);
    });
}

TEST(Relay, a_rate_limited_link_is_filled_and_never_exceeded) {
    constexpr std::uint64_t rate = 10'000'000;
    constexpr std::size_t bytes = 1'222;  // 1,250 with headers: 1 ms each
    traffic::Sink sink({.key = SipKey{1, 1}});
    RelayPlay play(1, {.to_target = {.rate_bits_per_s = rate}, .start = start}, sink);
    traffic::Source source(
        {.sizes = traffic::Sizes::fixed(bytes), .rate_per_s = 2'000, .start = start, .count = 2'000});
    play.add_client(source);
    ASSERT_EQ(play.network.run(), Outcome::idle);
    const traffic::SinkCounters counts = sink.counters();
    EXPECT_EQ(counts.first_at, start + millisecond);
    EXPECT_EQ(counts.last_at - counts.first_at, static_cast<Duration>(counts.received - 1) * millisecond);
    // A second at twice the rate, then a queue of a tenth of a second.
    EXPECT_NEAR(static_cast<double>(counts.received), 1'100, 3);
    EXPECT_EQ(counts.reordered, 0u);
    play.expect_balance();
}

TEST(Relay, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        Random random(seed);
        const Impairments there = random_impairments(random), back = random_impairments(random);
        echo::Endpoint echo;
        RelayPlay play(1, {.to_target = there, .to_client = back, .seed = seed, .start = start}, echo);
        traffic::Prober prober({.stream = 3, .rate_per_s = 1e5, .start = start, .count = 500});
        play.add_client(prober);
        EXPECT_EQ(play.network.run(), Outcome::idle);
        return play.network.trace_hash();
    };
    for_each_seed(10, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
    EXPECT_NE(hash_of(1), hash_of(2));
}

}  // namespace
}  // namespace ringpost::sim
