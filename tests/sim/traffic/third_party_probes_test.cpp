// Third-party probes through an echo endpoint, over links whose delay and loss are known: each measured response is
// that of its own probe, or the prober's counts report that replies were ambiguous.

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string_view>

#include "codec/echo/endpoint.hpp"
#include "codec/traffic/prober.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address probes_source = Address::v4(10, 0, 0, 1, 1'000);
const Address probes_target = Address::v4(10, 0, 0, 2, 2'000);
constexpr Instant probes_start = 7 * second;
constexpr Duration one_way = 100 * millisecond;

traffic::Dialect dialect_of(std::string_view payload, std::string_view match) {
    traffic::Dialect dialect;
    EXPECT_TRUE(dialect.payload.add_text(payload));
    dialect.match = *traffic::MatchRule::parse(match);
    return dialect;
}

struct ProbesPlay {
    ProbesPlay(std::uint64_t seed, const traffic::Dialect& dialect_, traffic::ProberOptions options, const Link& link)
        : network(seed), dialect(dialect_), prober(with(options)) {
        from = network.add(probes_source, prober);
        to = network.add(probes_target, echo);
        network.connect(from, probes_target);
        network.link_both(from, to, link);
    }

    traffic::ProberOptions with(traffic::ProberOptions options) const {
        options.start = probes_start;
        options.dialect = &dialect;
        return options;
    }

    /// Probes of which at least one reply arrived. An echo replies in order, so its n-th datagram is the reply to the
    /// n-th one delivered to it.
    std::size_t answered() {
        std::set<std::pair<SocketIndex, std::uint64_t>> seen;
        for (const Delivery& answer : network.deliveries(from)) {
            const Delivery& request = network.deliveries(to).at(answer.ordinal);
            seen.insert({request.from_socket, request.ordinal});
        }
        return seen.size();
    }

    /// What makes a run INVALID.
    bool told_apart() const {
        const traffic::MatchCounters counts = *prober.match_counts();
        if (dialect.match.kind == traffic::MatchRule::Kind::order)
            return prober.unanswered() == 0 && prober.counters().surplus == 0;
        return counts.reused == 0 && counts.overrun == 0 && counts.ambiguous == 0;
    }

    Network network;
    traffic::Dialect dialect;
    traffic::Prober prober;
    echo::Endpoint echo;
    NodeIndex from = 0, to = 0;
};

// 400 probes are on their way at a time, but one octet has 256 values.
TEST(ThirdPartyProbes, keys_that_repeat_too_soon_are_counted) {
    const traffic::Dialect dialect = dialect_of("{seq:u8}abc", "0:1");
    ProbesPlay one(1, dialect, {.rate_per_s = 2'000, .count = 2'000}, {.delay = one_way});
    ASSERT_EQ(one.network.run(), Outcome::idle);
    EXPECT_GT(one.prober.match_counts()->reused, 1'000u);
    EXPECT_LT(one.prober.response().percentile(50), 2 * one_way) << "which is why the run is not valid";
    EXPECT_FALSE(one.told_apart());

    ProbesPlay two(1, dialect, {.rate_per_s = 2'000, .count = 2'000, .flows = 2}, {.delay = one_way});
    ASSERT_EQ(two.network.run(), Outcome::idle);
    EXPECT_TRUE(two.told_apart());
    EXPECT_EQ(two.prober.response().count(), 2'000u);
    EXPECT_EQ(two.prober.response().min(), 2 * one_way);
    EXPECT_EQ(two.prober.response().max(), 2 * one_way);
}

TEST(ThirdPartyProbes, by_order_every_loss_is_known) {
    const traffic::Dialect dialect = dialect_of("probe", "order");
    for (const std::uint32_t flows : {1u, 3u}) {
        ProbesPlay whole(1, dialect, {.rate_per_s = 1'000, .count = 500, .flows = flows}, {.delay = one_way});
        ASSERT_EQ(whole.network.run(), Outcome::idle);
        EXPECT_TRUE(whole.told_apart());
        EXPECT_EQ(whole.prober.response().min(), 2 * one_way);
        EXPECT_EQ(whole.prober.response().max(), 2 * one_way);
        ProbesPlay lossy(1, dialect, {.rate_per_s = 1'000, .count = 500, .flows = flows},
                         {.loss = 0.01, .delay = one_way});
        ASSERT_EQ(lossy.network.run(), Outcome::idle);
        ASSERT_LT(lossy.answered(), 500u);
        EXPECT_EQ(lossy.prober.unanswered(), 500 - lossy.answered());
        EXPECT_FALSE(lossy.told_apart());
    }
}

// A stall of the path for longer than a probe is waited for: late replies, whose bytes other probes have by then.
TEST(ThirdPartyProbes, a_late_reply_to_repeated_bytes_is_ambiguous) {
    const traffic::Dialect dialect = dialect_of("{seq:u8}", "0:1");
    ProbesPlay play(1, dialect, {.rate_per_s = 1'000, .timeout = 150 * millisecond, .count = 2'000},
                    {.delay = one_way});
    ASSERT_EQ(play.network.run(), Outcome::idle);
    EXPECT_EQ(play.prober.match_counts()->reused, 0u) << "given up before";
    EXPECT_EQ(play.prober.counters().late, 2'000u) << "replies take 200 ms, bytes repeat after 256";
    EXPECT_TRUE(play.told_apart());
    ProbesPlay slower(1, dialect, {.rate_per_s = 1'000, .timeout = 150 * millisecond, .count = 2'000},
                      {.delay = 2 * one_way});
    ASSERT_EQ(slower.network.run(), Outcome::idle);
    EXPECT_GT(slower.prober.match_counts()->ambiguous, 1'000u);
    EXPECT_LT(slower.prober.response().percentile(50), 4 * one_way);
    EXPECT_FALSE(slower.told_apart());
}

TEST(ThirdPartyProbes, what_is_told_apart_is_true) {
    std::uint64_t told_apart = 0, other = 0;
    for_each_seed(200, [&](std::uint64_t seed) {
        Random random(~seed);
        constexpr std::string_view payloads[] = {"{seq:u8}abc", "{seq:u16be}", "{seq:u32le}{random:2}", "same"};
        const std::string_view payload = random.one_of<std::string_view>(payloads);
        const traffic::Dialect dialect = dialect_of(payload, random.chance(0.3)         ? "order"
                                                             : payload == "{seq:u16be}" ? "0:2"
                                                                                        : "echo");
        const double rates[] = {0, 1e3, 1e4, 1e5};
        const Link link = {.loss = random.chance(0.5) ? 0 : 0.02,
                           .delay = static_cast<Duration>(random.below(9'000'000))};
        traffic::ProberOptions options{.rate_per_s = random.one_of<double>(rates),
                                       .window = static_cast<std::uint32_t>(random.between(1, 300)),
                                       // Later replies than Matcher::late_times are not detected.
                                       .timeout = link.delay / 2 + static_cast<Duration>(random.between(1, 30'000'000)),
                                       .count = random.between(1, 1'000),
                                       .flows = static_cast<std::uint32_t>(random.between(1, 5))};
        ProbesPlay play(seed, dialect, options, link);
        ASSERT_EQ(play.network.run(), Outcome::idle);
        const traffic::ProberCounters& counts = play.prober.counters();
        EXPECT_EQ(counts.sent, options.count);
        EXPECT_EQ(counts.foreign, 0u) << "each reply is to a probe";
        EXPECT_EQ(counts.received, play.network.deliveries(play.from).size());
        if (!play.told_apart()) {
            ++other;
            return;
        }
        ++told_apart;
        EXPECT_EQ(counts.duplicate, 0u);
        EXPECT_EQ(counts.lost(), options.count - play.answered());
        if (play.prober.response().count() == 0) return;
        EXPECT_EQ(play.prober.response().min(), 2 * link.delay);
        EXPECT_EQ(play.prober.response().max(), 2 * link.delay);
    });
    if (std::getenv("RINGPOST_SEED") == nullptr) {
        EXPECT_GT(told_apart, 20u);
        EXPECT_GT(other, 20u);
    }
}

}  // namespace
}  // namespace ringpost::sim
