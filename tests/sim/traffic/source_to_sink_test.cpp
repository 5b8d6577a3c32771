// Compares the report of a sink with what the network did.

#include <gtest/gtest.h>

#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/traffic/sink_oracle.hpp"

namespace ringpost::sim {
namespace {

const Address source_address = Address::v4(10, 0, 0, 1, 1'000);
const Address sink_address = Address::v4(10, 0, 0, 2, 2'000);

struct Scenario {
    traffic::SourceOptions options;
    Link link;

    explicit Scenario(std::uint64_t seed) {
        Random random(~seed);
        const std::size_t sizes[] = {24, 25, 64, 200, 1'400, 1'472};
        const double rates[] = {0, 1e4, 3e5, 1e6};
        const std::size_t trains[] = {1, 2, 16, 128};
        options.sizes = traffic::Sizes::fixed(random.one_of<std::size_t>(sizes));
        options.flows = static_cast<std::uint32_t>(random.between(1, 8));
        options.stream = static_cast<std::uint32_t>(random.below(1ull << 32));
        options.rate_per_s = random.one_of<double>(rates);
        options.train_segments = random.one_of<std::size_t>(trains);
        options.start = static_cast<Instant>(random.below(second));
        options.count = random.between(1, 1'500);
        // Some links have one fault, some have all.
        const auto sometimes = [&](double most) {
            return random.chance(0.5) ? most * static_cast<double>(random.below(100)) / 100 : 0;
        };
        link.loss = sometimes(0.4);
        link.duplicate = sometimes(0.4);
        link.corrupt = sometimes(0.2);
        link.truncate = sometimes(0.1);
        link.delay = static_cast<Duration>(random.below(10'000'000));
        link.jitter = static_cast<Duration>(sometimes(3e6));
    }
};

struct SinkPlay {
    explicit SinkPlay(std::uint64_t seed)
        : scenario(seed), network(seed), source(scenario.options), sink({.key = SipKey{seed, 1}}) {
        from = network.add(source_address, source);
        to = network.add(sink_address, sink);
        network.connect(from, sink_address);
        network.link(from, to, scenario.link);
    }
    void expect_truth() {
        const SinkOracle truth(network, from, to, scenario.options.flows);
        const traffic::SinkCounters counts = sink.counters();
        EXPECT_EQ(counts.received, truth.received);
        EXPECT_EQ(counts.duplicate, truth.duplicate);
        EXPECT_EQ(counts.reordered, truth.reordered);
        EXPECT_EQ(counts.corrupt, truth.corrupt);
        EXPECT_EQ(counts.lost, truth.lost);
        EXPECT_EQ(source.sent(), counts.received - counts.duplicate - counts.corrupt + counts.lost + truth.tail);
    }

    Scenario scenario;
    Network network;
    traffic::Source source;
    traffic::Sink sink;
    NodeIndex from = 0, to = 0;
};

TEST(SourceToSink, the_sink_reports_exactly_the_faults_of_the_link) {
    for_each_seed(300, [](std::uint64_t seed) {
        SinkPlay play(seed);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        EXPECT_EQ(play.source.sent(), play.scenario.options.count);
        EXPECT_EQ(play.network.counts(play.from, play.to).sent, play.scenario.options.count);
        EXPECT_EQ(play.network.unroutable(), 0u);
        play.expect_truth();
    });
}

TEST(SourceToSink, partition) {
    for_each_seed(50, [](std::uint64_t seed) {
        SinkPlay play(seed);
        const Instant start = play.scenario.options.start;
        ASSERT_NE(play.network.run_until(start + 50 * microsecond), Outcome::livelock);
        Link cut = play.scenario.link;
        cut.loss = 1;
        play.network.link(play.from, play.to, cut);
        ASSERT_NE(play.network.run_until(start + 500 * microsecond), Outcome::livelock);
        play.network.link(play.from, play.to, play.scenario.link);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        play.expect_truth();
    });
}

TEST(SourceToSink, several_sources_and_one_sink) {
    for_each_seed(20, [](std::uint64_t seed) {
        constexpr std::size_t sources = 5;
        Network network(seed);
        traffic::Sink sink({.key = SipKey{seed, 2}});
        std::vector<std::unique_ptr<traffic::Source>> all;
        const NodeIndex to = network.add(sink_address, sink);
        std::uint64_t sent = 0;
        for (std::size_t i = 0; i < sources; ++i) {
            // All sources use the same stream number; only their addresses differ.
            all.push_back(std::make_unique<traffic::Source>(
                traffic::SourceOptions{.stream = 1, .rate_per_s = 1e5, .count = 200 + 10 * i}));
            sent += 200 + 10 * i;
            const NodeIndex from = network.add(Address::v4(10, 0, 1, static_cast<std::uint8_t>(i), 1'000), *all.back());
            network.connect(from, sink_address);
            network.link(from, to, {.duplicate = 0.1, .jitter = millisecond});
        }
        ASSERT_EQ(network.run(), Outcome::idle);
        const traffic::SinkCounters counts = sink.counters();
        EXPECT_EQ(counts.streams, sources);
        EXPECT_EQ(counts.lost + counts.corrupt, 0u);
        EXPECT_EQ(counts.received - counts.duplicate, sent);
    });
}

TEST(SourceToSink, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        SinkPlay play(seed);
        EXPECT_EQ(play.network.run(), Outcome::idle);
        return play.network.trace_hash();
    };
    for_each_seed(10, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
}

}  // namespace
}  // namespace ringpost::sim
