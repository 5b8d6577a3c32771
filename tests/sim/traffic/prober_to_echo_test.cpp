// Round trips through an echo endpoint. The oracle follows probes by the network's numbers: an echo replies in order,
// so its n-th datagram is the reply to the n-th one delivered to it.

#include <gtest/gtest.h>

#include <set>

#include "codec/echo/endpoint.hpp"
#include "codec/traffic/prober.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address prober_address = Address::v4(10, 0, 0, 1, 1'000);
const Address echo_address = Address::v4(10, 0, 0, 2, 2'000);
constexpr Instant echo_start = 7 * second;

struct EchoPlay {
    EchoPlay(std::uint64_t seed, const traffic::ProberOptions& options, const Link& link)
        : network(seed), prober(options) {
        from = network.add(prober_address, prober);
        to = network.add(echo_address, echo);
        network.connect(from, echo_address);
        network.link_both(from, to, link);
    }

    void expect_truth() {
        std::uint64_t duplicate = 0, reordered = 0, corrupt = 0;
        std::set<std::uint64_t> answered;
        Duration rtt_ns_max = 0;
        for (const Delivery& answer : network.deliveries(from)) {
            const Delivery& request = network.deliveries(to).at(answer.ordinal);
            if (answer.crc != request.sent_crc)  // two changes may undo each other
                ++corrupt;
            else if (answered.contains(request.ordinal))
                ++duplicate;
            else {
                reordered += !answered.empty() && *answered.rbegin() > request.ordinal;
                answered.insert(request.ordinal);
                rtt_ns_max = std::max(rtt_ns_max, answer.at - request.sent_at);
            }
        }
        const traffic::ProberCounters& counts = prober.counters();
        EXPECT_EQ(counts.sent, network.sent(from, 0));
        EXPECT_EQ(counts.received, network.deliveries(from).size());
        EXPECT_EQ(counts.corrupt, corrupt);
        EXPECT_EQ(counts.duplicate, duplicate);
        EXPECT_EQ(counts.reordered, reordered);
        EXPECT_EQ(counts.foreign, 0u);
        EXPECT_EQ(counts.lost(), counts.sent - answered.size());
        EXPECT_EQ(prober.response().count(), answered.size());
        EXPECT_EQ(echo.counters().sent, network.deliveries(to).size());
        EXPECT_GE(prober.response().max(), rtt_ns_max) << "measured from the due time, so never less";
    }

    Network network;
    traffic::Prober prober;
    echo::Endpoint echo;
    NodeIndex from = 0, to = 0;
};

Link random_link(Random& random) {
    const auto sometimes = [&](double most) {
        return random.chance(0.5) ? most * static_cast<double>(random.below(100)) / 100 : 0;
    };
    return {.loss = sometimes(0.4),
            .duplicate = sometimes(0.4),
            .corrupt = sometimes(0.2),
            .truncate = sometimes(0.1),
            .delay = static_cast<Duration>(random.below(2'000'000)),
            .jitter = static_cast<Duration>(sometimes(4e6))};
}

TEST(ProberToEcho, ping_pong_over_a_perfect_link_takes_twice_the_delay) {
    EchoPlay play(1, {.stream = 9, .start = echo_start, .count = 100}, {.delay = 300 * microsecond});
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.prober.response().min(), 600 * microsecond);
    EXPECT_EQ(play.prober.response().max(), 600 * microsecond);
    EXPECT_EQ(play.prober.counters().lost(), 0u);
    EXPECT_EQ(play.network.now(), echo_start + 100 * 600 * microsecond);
    EXPECT_TRUE(play.prober.finished(play.network.now(), second));
    play.expect_truth();
}

TEST(ProberToEcho, ping_pong_ends_under_all_faults) {
    for_each_seed(150, [](std::uint64_t seed) {
        Random random(~seed);
        const Link link = random_link(random);
        traffic::ProberOptions options{
            .sizes = traffic::Sizes::fixed(random.between(24, 1'472)), .stream = 9, .start = echo_start};
        options.timeout = static_cast<Duration>(random.between(1, 10'000'000));  // shorter or longer than a round trip
        options.count = random.between(1, 200);
        EchoPlay play(seed, options, link);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        const Duration longest = 2 * (link.delay + link.jitter);
        EXPECT_EQ(play.prober.counters().sent, options.count);
        EXPECT_LE(play.network.now(), echo_start + static_cast<Duration>(options.count) * options.timeout + longest);
        EXPECT_TRUE(play.prober.finished(play.network.now() + longest, longest));
        if (play.prober.response().count() > 0) {
            EXPECT_GE(play.prober.response().min(), 2 * link.delay);
            EXPECT_LE(play.prober.response().max(), longest);
        }
        play.expect_truth();
    });
}

TEST(ProberToEcho, open_loop_ends_under_all_faults) {
    for_each_seed(150, [](std::uint64_t seed) {
        Random random(~seed);
        const Link link = random_link(random);
        const double rates[] = {1e3, 2e5, 1e6};
        traffic::ProberOptions options{
            .sizes = traffic::Sizes::fixed(random.between(24, 1'472)), .stream = 9, .start = echo_start};
        options.rate_per_s = random.one_of<double>(rates);
        options.count = random.between(1, 500);
        EchoPlay play(seed, options, link);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        const Duration longest = 2 * (link.delay + link.jitter);
        EXPECT_LE(play.network.now(),
                  echo_start + static_cast<Duration>(1e9 / options.rate_per_s * static_cast<double>(options.count)) +
                      longest);
        EXPECT_EQ(play.prober.counters().sent, options.count);
        EXPECT_EQ(play.prober.slip().count(), options.count);
        EXPECT_EQ(play.prober.slip().max(), 0) << "this clock is never late";
        if (play.prober.response().count() > 0) {
            EXPECT_GE(play.prober.response().min(), 2 * link.delay);
            EXPECT_LE(play.prober.response().max(), longest);
        }
        play.expect_truth();
    });
}

// A stop time instead of a count: the prober stops by itself, even with outstanding replies.
TEST(ProberToEcho, ends_at_its_stop_time) {
    for_each_seed(60, [](std::uint64_t seed) {
        Random random(~seed);
        const Link link = random_link(random);
        const double rates[] = {0, 1e4};
        traffic::ProberOptions options{
            .stream = 9, .timeout = millisecond, .start = echo_start, .stop = echo_start + 20 * millisecond};
        options.rate_per_s = random.one_of<double>(rates);
        EchoPlay play(seed, options, link);
        ASSERT_EQ(play.network.run_until(echo_start + second, 20'000), Outcome::idle);
        EXPECT_LE(play.network.now(), options.stop + options.timeout + 2 * (link.delay + link.jitter));
        play.expect_truth();
    });
}

TEST(ProberToEcho, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        Random random(~seed);
        EchoPlay play(seed, {.stream = 9, .rate_per_s = 1e5, .start = echo_start, .count = 200}, random_link(random));
        EXPECT_EQ(play.network.run(), Outcome::idle);
        return play.network.trace_hash();
    };
    for_each_seed(10, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
}

}  // namespace
}  // namespace ringpost::sim
