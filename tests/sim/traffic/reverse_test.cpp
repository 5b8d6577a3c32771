// A sink that sends to the load that asks for it, over links with faults.

#include <gtest/gtest.h>

#include "codec/traffic/reverse_receiver.hpp"
#include "codec/traffic/sink.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address reverse_near_address = Address::v4(10, 0, 0, 1, 1'000);
const Address reverse_sink_address = Address::v4(10, 0, 0, 2, 2'000);
constexpr std::uint64_t rate_per_s = 2'000;
constexpr std::size_t reverse_frame_bytes = 100;

struct ReversePlay {
    ReversePlay(std::uint64_t seed, const Link& link, Duration duration = 700 * millisecond)
        : network(seed),
          sink({.key = SipKey{seed, 1},
                .answers_control = true,
                .reverse = {.key = SipKey{seed, 2}, .bits_per_s_max = 100'000'000, .train_segments = 4}}),
          receiver({.stream = 7,
                    .key = SipKey{seed, 3},
                    .request = {.rate_per_ks = rate_per_s * 1'000,
                                .frame_bytes = reverse_frame_bytes,
                                .duration_ns = static_cast<std::uint64_t>(duration)},
                    .start = 0}),
          due(static_cast<std::uint64_t>(duration) * rate_per_s / second) {
        near = network.add(reverse_near_address, receiver);
        far = network.add(reverse_sink_address, sink);
        network.connect(near, reverse_sink_address);
        network.link_both(near, far, link);
    }
    std::uint64_t intact() const {
        const traffic::SinkCounters counts = receiver.sink().counters();
        return counts.received - counts.duplicate - counts.corrupt;
    }

    Network network;
    traffic::Sink sink;
    traffic::ReverseReceiver receiver;
    std::uint64_t due;
    NodeIndex near = 0, far = 0;
};

using traffic::ReverseReceiver;

TEST(Reverse, all_arrive_on_a_perfect_link) {
    ReversePlay play(1, {});
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.receiver.end(), ReverseReceiver::End::complete);
    EXPECT_EQ(play.receiver.sent(), play.due);
    EXPECT_EQ(play.intact(), play.due);
    EXPECT_EQ(play.receiver.sink().counters().corrupt, 0u);
}

TEST(Reverse, on_links_with_faults_each_run_ends_and_never_has_more_than_was_asked_for) {
    for_each_seed(150, [](std::uint64_t seed) {
        Random random(~seed);
        Link link;
        link.loss = random.chance(0.7) ? 0.01 * static_cast<double>(random.below(40)) : 0;
        link.duplicate = random.chance(0.3) ? 0.2 : 0;
        link.corrupt = random.chance(0.3) ? 0.1 : 0;
        link.jitter = random.chance(0.3) ? 5 * millisecond : 0;
        link.delay = static_cast<Duration>(random.below(60'000'000));
        ReversePlay play(seed, link);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        EXPECT_NE(play.receiver.end(), ReverseReceiver::End::none);
        EXPECT_LE(play.sink.reverse()->counters().frames, play.due * play.sink.reverse()->counters().started);
        EXPECT_LE(play.sink.reverse()->counters().started, 1u);
        EXPECT_LT(play.network.now(), 12 * second) << "four tokens, a second and a half each, and the run";
        if (play.receiver.end() != ReverseReceiver::End::complete) return;
        EXPECT_EQ(play.receiver.sent(), play.sink.reverse()->counters().frames);
        EXPECT_LE(play.intact(), play.receiver.sent());
        if (link.loss + link.corrupt == 0) {
            EXPECT_EQ(play.intact(), play.receiver.sent());
        }
    });
}

TEST(Reverse, a_sink_that_gives_a_token_and_is_gone_is_given_up) {
    // The token arrives after the last request without one, which is sent at 700 ms.
    ReversePlay play(5, {.delay = 400 * millisecond});
    play.network.run_until(450 * millisecond);
    play.network.link(play.near, play.far, {.loss = 1});
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.receiver.end(), ReverseReceiver::End::silent);
    EXPECT_EQ(play.sink.reverse()->counters().started, 0u);
    EXPECT_LT(play.network.now(), 5 * second);
}

TEST(Reverse, a_sink_that_loses_its_peer_stops_within_a_second) {
    ReversePlay play(3, {}, 60 * second);
    play.network.run_until(2 * second);
    play.network.link(play.near, play.far, {.loss = 1});
    const std::uint64_t before = play.sink.reverse()->counters().frames;
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_LE(play.sink.reverse()->counters().frames - before, rate_per_s * 11 / 10);
    EXPECT_EQ(play.sink.reverse()->counters().expired, 1u);
    EXPECT_EQ(play.receiver.end(), ReverseReceiver::End::unknown);
}

TEST(Reverse, an_interrupt_ends_it_with_the_true_count) {
    ReversePlay play(4, {}, 60 * second);
    play.network.run_until(second);
    play.receiver.stop(play.network.now());
    play.network.wake(play.near);
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.receiver.end(), ReverseReceiver::End::complete);
    EXPECT_EQ(play.receiver.sent(), play.intact());
    EXPECT_LT(play.network.now(), 2 * second);
}

TEST(Reverse, without_an_answer_it_ends) {
    ReversePlay play(5, {.loss = 1});
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.receiver.end(), ReverseReceiver::End::silent);
    EXPECT_LT(play.network.now(), 2 * second);
}

}  // namespace
}  // namespace ringpost::sim
