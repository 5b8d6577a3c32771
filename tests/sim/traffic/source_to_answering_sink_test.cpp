// A bidirectional load over links with independent faults: losses in each direction are reported separately.

#include <gtest/gtest.h>

#include "codec/traffic/answering_sink.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/traffic/sink_oracle.hpp"

namespace ringpost::sim {
namespace {

const Address here = Address::v4(10, 0, 0, 1, 1'000);
const Address there = Address::v4(10, 0, 0, 2, 2'000);

Link faulty(Random& random) {
    const auto sometimes = [&](double most) {
        return random.chance(0.5) ? most * static_cast<double>(random.below(100)) / 100 : 0;
    };
    return {.loss = sometimes(0.4),
            .duplicate = sometimes(0.3),
            .corrupt = sometimes(0.2),
            .truncate = sometimes(0.1),
            .delay = static_cast<Duration>(random.below(10'000'000)),
            .jitter = static_cast<Duration>(sometimes(3e6))};
}

traffic::SourceOptions sending(Random& random) {
    const double rates[] = {0, 1e4, 1e6};
    const std::size_t trains[] = {1, 2, 128};
    traffic::SourceOptions options;
    options.sizes = random.chance(0.5) ? traffic::Sizes::fixed(random.between(24, 1'400)) : traffic::Sizes::imix();
    options.sizes_seed = random.below(1'000);
    options.stream = static_cast<std::uint32_t>(random.below(traffic::answer_stream_bit / 2));
    options.rate_per_s = random.one_of<double>(rates);
    options.train_segments = random.one_of<std::size_t>(trains);
    options.start = static_cast<Instant>(random.below(second));
    options.count = random.between(1, 1'500);
    return options;
}

struct AnsweringPlay {
    AnsweringPlay(std::uint64_t seed, std::uint32_t flows)
        : random(~seed),
          network(seed),
          source([&] {
              traffic::SourceOptions options = sending(random);
              options.flows = flows;
              options.replies = &back;
              return options;
          }()),
          back({.key = SipKey{seed, 1}}),
          answering({.sink = {.key = SipKey{seed, 2}}, .seed = seed}) {
        from = network.add(here, source);
        to = network.add(there, answering);
        network.connect(from, there);
        network.link(from, to, faulty(random));
        network.link(to, from, faulty(random));
    }

    Random random;
    Network network;
    traffic::Source source;
    traffic::Sink back;
    traffic::AnsweringSink answering;
    NodeIndex from = 0, to = 0;
};

void expect_truth(const traffic::SinkCounters& counts, const SinkOracle& truth) {
    EXPECT_EQ(counts.received, truth.received);
    EXPECT_EQ(counts.duplicate, truth.duplicate);
    EXPECT_EQ(counts.reordered, truth.reordered);
    EXPECT_EQ(counts.corrupt, truth.corrupt);
    EXPECT_EQ(counts.lost, truth.lost);
}

TEST(SourceToAnsweringSink, losses_of_both_directions_are_distinguished_exactly) {
    for_each_seed(30, [](std::uint64_t seed) {
        AnsweringPlay play(seed, 1);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        const SinkOracle there_truth(play.network, play.from, play.to, 1);
        const SinkOracle back_truth(play.network, play.to, play.from, 1);
        {
            SCOPED_TRACE("there");
            expect_truth(play.answering.sink().counters(), there_truth);
        }
        {
            SCOPED_TRACE("back");
            expect_truth(play.back.counters(), back_truth);
        }
        // Each frame received in order is answered once, so the sender knows their number.
        const traffic::SinkCounters arrived = play.answering.sink().counters();
        EXPECT_EQ(play.answering.answers().sent, arrived.received - arrived.duplicate - arrived.corrupt);
        EXPECT_EQ(play.network.sent(play.to, 0), play.answering.answers().sent);
        EXPECT_EQ(play.answering.answers().dropped + play.answering.answers().refused, 0u);
    });
}

TEST(SourceToAnsweringSink, each_flow_has_its_own_reply_stream) {
    for_each_seed(8, [](std::uint64_t seed) {
        constexpr std::uint32_t flows = 5;
        AnsweringPlay play(seed, flows);
        play.network.link(play.to, play.from, {.delay = millisecond});
        ASSERT_EQ(play.network.run(), Outcome::idle);
        expect_truth(play.answering.sink().counters(), SinkOracle(play.network, play.from, play.to, flows));
        // The return path is perfect: whatever the forward path does, it must show no losses.
        const traffic::SinkCounters back = play.back.counters();
        EXPECT_EQ(back.received, play.answering.answers().sent);
        EXPECT_EQ(back.lost + back.duplicate + back.reordered + back.corrupt, 0u);
        EXPECT_LE(back.streams, flows);
        EXPECT_LE(play.network.sent(play.to, 0), play.network.deliveries(play.to).size());
    });
}

}  // namespace
}  // namespace ringpost::sim
