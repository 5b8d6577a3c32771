// A load asks a sink for its counts, over links that lose, duplicate and reorder requests and answers as well.

#include <gtest/gtest.h>

#include <cstdlib>

#include "codec/echo/endpoint.hpp"
#include "codec/traffic/answering_sink.hpp"
#include "codec/traffic/clock_asker.hpp"
#include "codec/traffic/counts_asker.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address load_address = Address::v4(10, 0, 0, 1, 1'000);
const Address far_address = Address::v4(10, 0, 0, 2, 2'000);

struct Question {
    explicit Question(std::uint64_t seed) : random(~seed), network(seed), source(options_of(random)) {
        load = network.add(load_address, source);
        network.connect(load, far_address);
    }
    static traffic::SourceOptions options_of(Random& random) {
        return {.flows = static_cast<std::uint32_t>(random.between(1, 200)),
                .stream = 77,
                .train_segments = 4,
                .count = random.between(1, 2'000)};
    }

    /// Sends everything to the far end, then asks it.
    template <class Far>
    traffic::FarCounts ask(Far& end, const Link& there, const Link& back) {
        far = network.add(far_address, end);
        network.link(load, far, there);
        network.link(far, load, back);
        EXPECT_EQ(network.run(), Outcome::idle);
        asked_at = network.now();
        traffic::CountsAsker asker(
            {.sent = source.sent_by_flow(), .stream = 77, .key = SipKey{random.below(1'000), 2}, .start = asked_at});
        network.replace(load, asker, [](Instant, const traffic::CountsAsker::Event&) {});
        EXPECT_EQ(network.run(), Outcome::idle);
        EXPECT_TRUE(asker.finished());
        return asker.counts();
    }
    Duration took() const { return network.now() - asked_at; }

    Random random;
    Network network;
    traffic::Source source;
    NodeIndex load = 0, far = 0;
    Instant asked_at = 0;
};

template <class Sink>
void expect_sum(const traffic::FarCounts& far, const Sink& sink) {
    const traffic::SinkCounters truth = sink.counters();
    EXPECT_EQ(far.known, far.flows);
    EXPECT_EQ(far.rejected, 0u);
    EXPECT_EQ(far.received, truth.received - truth.duplicate - truth.corrupt);
    EXPECT_EQ(far.duplicate, truth.duplicate);
    EXPECT_EQ(far.reordered, truth.reordered);
}

TEST(FarCounts, are_those_of_the_sink) {
    for_each_seed(100, [](std::uint64_t seed) {
        Question question(seed);
        Link there;
        there.loss = question.random.chance(0.5) ? 0.2 : 0;
        there.duplicate = question.random.chance(0.5) ? 0.2 : 0;
        there.jitter = question.random.chance(0.5) ? 3 * millisecond : 0;
        traffic::Sink sink({.key = SipKey{seed, 1}, .answers_control = true});
        // A lossy path loses requests too, at most two of three here.
        std::uint64_t asked = 0;
        const traffic::FarCounts far = question.ask(sink, there, {.loss = 0, .duplicate = 0.3});
        asked = sink.control().asked;
        EXPECT_GE(asked, far.known);
        EXPECT_EQ(far.rejected, 0u);
        EXPECT_LE(far.received, question.source.sent());
        if (there.loss == 0) expect_sum(far, sink);
        EXPECT_LT(question.took(), 4 * second);
        EXPECT_EQ(question.network.unroutable(), 0u);
    });
}

TEST(FarCounts, of_an_answering_sink) {
    for_each_seed(20, [](std::uint64_t seed) {
        Question question(seed);
        traffic::AnsweringSink sink({.sink = {.key = SipKey{seed, 1}, .answers_control = true}, .seed = seed});
        expect_sum(question.ask(sink, {}, {}), sink.sink());
    });
}

TEST(FarCounts, lost_requests_and_answers_are_asked_for_again_a_bounded_number_of_times) {
    for_each_seed(50, [](std::uint64_t seed) {
        Question question(seed);
        traffic::Sink sink({.key = SipKey{seed, 1}, .answers_control = true});
        const traffic::FarCounts far = question.ask(sink, {}, {.loss = 0.5});
        EXPECT_LE(far.known, far.flows);
        EXPECT_LE(far.received, far.known > 0 ? question.source.sent() : 0) << "a flow may have sent nothing";
        EXPECT_LE(sink.control().asked, 3 * 8 * far.flows);
        EXPECT_LT(question.took(), 4 * second);
    });
}

TEST(FarCounts, of_an_end_that_does_not_answer_are_unknown_soon) {
    Question question(1);
    traffic::Sink silent({.key = SipKey{1, 1}});
    EXPECT_EQ(question.ask(silent, {}, {}).known, 0u);
    EXPECT_LT(question.took(), second);
}

TEST(FarCounts, an_echo_of_the_request_is_no_answer) {
    Question question(1);
    echo::Endpoint echo;
    EXPECT_EQ(question.ask(echo, {}, {}).known, 0u);
    EXPECT_LT(question.took(), second);
}

TEST(ClockOffset, is_within_its_error_on_asymmetric_links_with_faults) {
    for_each_seed(100, [](std::uint64_t seed) {
        Random random(~seed);
        Network network(seed);
        const auto ahead = static_cast<Duration>(random.below(2 * second)) - second;
        traffic::Sink sink({.key = SipKey{seed, 1}, .one_way = 100 * second + ahead, .answers_control = true});
        traffic::ClockAsker asker({.stream = 7, .key = SipKey{seed, 2}, .wall_offset = 100 * second, .start = 0});
        const NodeIndex load = network.add(load_address, asker), far = network.add(far_address, sink);
        network.connect(load, far_address);
        const auto faulty = [&] {
            Link link;
            link.delay = static_cast<Duration>(random.below(20'000'000));
            link.jitter = static_cast<Duration>(random.below(20'000'000));
            link.loss = random.chance(0.5) ? 0.1 : 0;
            link.duplicate = random.chance(0.5) ? 0.2 : 0;
            return link;
        };
        network.link(load, far, faulty());
        network.link(far, load, faulty());
        ASSERT_EQ(network.run(), Outcome::idle);
        EXPECT_TRUE(asker.finished());
        if (const auto offset = asker.offset()) {
            EXPECT_LE(std::abs(offset->estimate() - ahead), offset->error());
            EXPECT_LE(offset->error(), 40 * millisecond);
        }
    });
}

TEST(ClockOffset, is_unknown_without_an_answer) {
    Network network(1);
    traffic::Sink sink({.key = SipKey{1, 1}, .answers_control = true});
    traffic::ClockAsker asker({.stream = 7, .key = SipKey{1, 2}, .start = 0});
    const NodeIndex load = network.add(load_address, asker);
    network.add(far_address, sink);
    network.connect(load, far_address);
    ASSERT_EQ(network.run(), Outcome::idle);
    EXPECT_FALSE(asker.offset());
    EXPECT_LT(network.now(), second);
}

}  // namespace
}  // namespace ringpost::sim
