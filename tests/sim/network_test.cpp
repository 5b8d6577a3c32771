// The simulator itself: what it promises to those who test with it.

#include "tests/sim/network.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address left = Address::v4(10, 0, 0, 1, 1'000);
const Address right = Address::v4(10, 0, 0, 2, 2'000);

// Sends a number of eight bytes every `period` and keeps the numbers it gets.
class Counter {
  public:
    struct Event {};
    Counter(std::uint64_t count, Duration period) : count_(count), period_(period) {}

    void handle(Instant now, const Datagram& in) {
        heard_at.push_back(now);
        sources.push_back(in.source);
        heard.push_back(in.bytes.size() == 8 ? load_le<std::uint64_t>(in.bytes.data()) : UINT64_MAX);
    }
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        if (sent == count_ || now < due()) return std::nullopt;
        store_le<std::uint64_t>(out.data(), sent++);
        return Transmit{.destination = {}, .socket = 0, .bytes = 8, .segment_bytes = 8};
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return sent < count_ ? std::optional(due()) : std::nullopt; }

    std::uint64_t sent = 0;
    std::vector<std::uint64_t> heard;
    std::vector<Instant> heard_at;
    std::vector<Address> sources;

  private:
    Instant due() const { return static_cast<Instant>(sent) * period_; }

    std::uint64_t count_;
    Duration period_;
};

// Always wants to be woken, never does anything.
struct Restless {
    struct Event {};
    void handle(Instant, const Datagram&) {}
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return std::nullopt; }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return 0; }
};

struct Pair {
    Pair(std::uint64_t seed, std::uint64_t count, Duration period, const Link& link)
        : network(seed), a(count, period), b(0, 1) {
        from = network.add(left, a);
        to = network.add(right, b);
        network.connect(from, right);
        network.link(from, to, link);
    }
    Network network;
    Counter a, b;
    NodeIndex from = 0, to = 0;
};

TEST(Network, a_perfect_link_delivers_everything_in_order_after_its_delay) {
    Pair pair(1, 1'000, microsecond, {.delay = 5 * millisecond});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    ASSERT_EQ(pair.b.heard.size(), 1'000u);
    for (std::size_t i = 0; i < 1'000; ++i) {
        EXPECT_EQ(pair.b.heard[i], i);
        EXPECT_EQ(pair.b.heard_at[i], static_cast<Instant>(i) * microsecond + 5 * millisecond);
        EXPECT_EQ(pair.b.sources[i], left);
    }
    EXPECT_EQ(pair.network.now(), 999 * microsecond + 5 * millisecond);
}

TEST(Network, every_datagram_is_accounted_for) {
    for_each_seed(100, [](std::uint64_t seed) {
        Pair pair(seed, 500, microsecond,
                  {.loss = 0.1, .duplicate = 0.1, .corrupt = 0.1, .truncate = 0.05, .jitter = millisecond});
        ASSERT_EQ(pair.network.run(), Outcome::idle);
        const LinkCounts& counts = pair.network.counts(pair.from, pair.to);
        EXPECT_EQ(counts.sent, 500u);
        EXPECT_EQ(counts.delivered, counts.sent + counts.duplicated - counts.lost);
        EXPECT_EQ(counts.delivered, pair.b.heard.size());
        EXPECT_GT(counts.lost * counts.duplicated * counts.changed, 0u) << "the dice must be thrown";
        std::uint64_t changed = 0, out_of_order = 0;
        const auto& deliveries = pair.network.deliveries(pair.to);
        for (std::size_t i = 0; i < deliveries.size(); ++i) {
            changed += !deliveries[i].intact;
            EXPECT_EQ(deliveries[i].intact, deliveries[i].ordinal == pair.b.heard[i]);
            out_of_order += i > 0 && deliveries[i].ordinal < deliveries[i - 1].ordinal;
        }
        EXPECT_EQ(changed, counts.changed);
        EXPECT_GT(out_of_order, 0u);
    });
}

TEST(Network, more_than_a_turn_takes_leaves_in_later_turns) {
    Pair pair(1, 100, 0, {});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.b.heard.size(), 100u);
    EXPECT_EQ(pair.b.heard_at.back() - pair.b.heard_at.front(), 100 / Network::transmits_per_turn * Network::busy_ns);
}

TEST(Network, a_partition_and_its_end) {
    Pair pair(1, 30, millisecond, {});
    EXPECT_EQ(pair.network.run_until(10 * millisecond - 1), Outcome::at_end);
    pair.network.link(pair.from, pair.to, {.loss = 1});
    EXPECT_EQ(pair.network.run_until(20 * millisecond - 1), Outcome::at_end);
    pair.network.link(pair.from, pair.to, {});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    ASSERT_EQ(pair.b.heard.size(), 20u);
    EXPECT_EQ(pair.b.heard[9], 9u);
    EXPECT_EQ(pair.b.heard[10], 20u);
}

TEST(Network, nobody_home_is_counted) {
    Pair pair(1, 3, 1, {});
    pair.network.connect(pair.from, Address::v4(10, 9, 9, 9, 1));
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.network.unroutable(), 3u);
}

TEST(Network, an_endpoint_that_never_rests_is_a_livelock) {
    Network network(1);
    Restless restless;
    network.add(left, restless);
    EXPECT_EQ(network.run_until(second, 1'000), Outcome::livelock);
}

TEST(Network, the_same_seed_is_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        Pair pair(seed, 300, microsecond, {.loss = 0.1, .duplicate = 0.1, .corrupt = 0.1, .jitter = millisecond});
        EXPECT_EQ(pair.network.run(), Outcome::idle);
        return pair.network.trace_hash();
    };
    EXPECT_EQ(hash_of(1), hash_of(1));
    EXPECT_NE(hash_of(1), hash_of(2));
}

}  // namespace
}  // namespace ringpost::sim
