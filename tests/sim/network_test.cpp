// Tests of the simulator itself.

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

// Sends a number of eight bytes every `period` and stores the numbers received.
class Counter {
  public:
    struct Event {};
    Counter(std::uint64_t count, Duration period) : count_(count), period_(period) {}

    void handle(Instant now, const Datagram& in) {
        received_at.push_back(now);
        sources.push_back(in.source);
        received.push_back(in.bytes.size() == 8 ? load_le<std::uint64_t>(in.bytes.data()) : UINT64_MAX);
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
    std::vector<std::uint64_t> received;
    std::vector<Instant> received_at;
    std::vector<Address> sources;

  private:
    Instant due() const { return static_cast<Instant>(sent) * period_; }

    std::uint64_t count_;
    Duration period_;
};

// Always has a timeout due, and never does anything.
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
    ASSERT_EQ(pair.b.received.size(), 1'000u);
    for (std::size_t i = 0; i < 1'000; ++i) {
        EXPECT_EQ(pair.b.received[i], i);
        EXPECT_EQ(pair.b.received_at[i], static_cast<Instant>(i) * microsecond + 5 * millisecond);
        EXPECT_EQ(pair.b.sources[i], left);
    }
    EXPECT_EQ(pair.network.now(), 999 * microsecond + 5 * millisecond);
}

TEST(Network, all_datagrams_are_accounted_for) {
    for_each_seed(100, [](std::uint64_t seed) {
        Pair pair(seed, 500, microsecond,
                  {.loss = 0.1, .duplicate = 0.1, .corrupt = 0.1, .truncate = 0.05, .jitter = millisecond});
        ASSERT_EQ(pair.network.run(), Outcome::idle);
        const LinkCounters& counts = pair.network.counts(pair.from, pair.to);
        EXPECT_EQ(counts.sent, 500u);
        EXPECT_EQ(counts.delivered, counts.sent + counts.duplicated - counts.lost);
        EXPECT_EQ(counts.delivered, pair.b.received.size());
        EXPECT_GT(counts.lost * counts.duplicated * counts.changed, 0u) << "every fault must occur";
        std::uint64_t changed = 0, out_of_order = 0;
        const auto& deliveries = pair.network.deliveries(pair.to);
        for (std::size_t i = 0; i < deliveries.size(); ++i) {
            changed += !deliveries[i].intact;
            EXPECT_EQ(deliveries[i].intact, deliveries[i].ordinal == pair.b.received[i]);
            out_of_order += i > 0 && deliveries[i].ordinal < deliveries[i - 1].ordinal;
        }
        EXPECT_EQ(changed, counts.changed);
        EXPECT_GT(out_of_order, 0u);
    });
}

TEST(Network, transmits_beyond_one_turn_leave_in_later_turns) {
    Pair pair(1, 100, 0, {});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.b.received.size(), 100u);
    EXPECT_EQ(pair.b.received_at.back() - pair.b.received_at.front(),
              100 / Network::transmits_per_turn * Network::busy_ns);
}

TEST(Network, partition_and_recovery) {
    Pair pair(1, 30, millisecond, {});
    EXPECT_EQ(pair.network.run_until(10 * millisecond - 1), Outcome::at_end);
    pair.network.link(pair.from, pair.to, {.loss = 1});
    EXPECT_EQ(pair.network.run_until(20 * millisecond - 1), Outcome::at_end);
    pair.network.link(pair.from, pair.to, {});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    ASSERT_EQ(pair.b.received.size(), 20u);
    EXPECT_EQ(pair.b.received[9], 9u);
    EXPECT_EQ(pair.b.received[10], 20u);
}

TEST(Network, a_preset_fate_drops_or_duplicates_one_datagram) {
    Pair pair(1, 4, microsecond, {.delay = millisecond});
    pair.network.decide([](std::uint64_t n) {
        return Fate{.copies = n == 1 ? 0u : n == 2 ? 3u : 1u, .later = second};
    });
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.b.received, (std::vector<std::uint64_t>{0, 2, 3, 2, 2}));
    EXPECT_EQ(pair.b.received_at.back(), 2 * microsecond + millisecond + 2 * second);
    const LinkCounters& counts = pair.network.counts(pair.from, pair.to);
    EXPECT_EQ(counts.delivered, counts.sent + counts.duplicated - counts.lost);
}

TEST(Network, a_node_may_change_its_address) {
    const Address elsewhere = Address::v4(10, 0, 1, 1, 1'001);
    Pair pair(1, 10, millisecond, {.delay = 3 * millisecond + 1});
    EXPECT_EQ(pair.network.run_until(5 * millisecond), Outcome::at_end);
    pair.network.move(pair.from, elsewhere);
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    ASSERT_EQ(pair.b.sources.size(), 10u);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(pair.b.sources[i], i <= 5 ? left : elsewhere);

    Pair other(1, 10, millisecond, {.delay = 3 * millisecond + 1});
    EXPECT_EQ(other.network.run_until(5 * millisecond), Outcome::at_end);
    other.network.move(other.to, elsewhere);
    EXPECT_EQ(other.network.run(), Outcome::idle);
    EXPECT_EQ(other.b.received, (std::vector<std::uint64_t>{0, 1})) << "the others were in flight, or have no receiver";
    EXPECT_EQ(other.network.counts(other.from, other.to).lost, 4u);
    EXPECT_EQ(other.network.unroutable(), 4u);
}

TEST(Network, a_restarted_node_has_a_new_endpoint) {
    Pair pair(1, 10, millisecond, {.delay = 0});
    EXPECT_EQ(pair.network.run_until(5 * millisecond - 1), Outcome::at_end);
    Counter fresh(0, 1);
    pair.network.replace(pair.to, fresh, [](Instant, const Counter::Event&) {});
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.b.received.size(), 5u);
    EXPECT_EQ(fresh.received.size(), 5u);
}

TEST(Network, clock_jumps_affect_one_node) {
    Pair pair(1, 10, millisecond, {.delay = 0});
    pair.network.jump(pair.to, -second);
    EXPECT_EQ(pair.network.run_until(5 * millisecond - 1), Outcome::at_end);
    pair.network.jump(pair.from, 3 * millisecond);
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.network.now(), 6 * millisecond) << "the last was due at 9 by the sender's clock";
    EXPECT_EQ(pair.network.now(pair.from), 9 * millisecond);
    ASSERT_EQ(pair.b.received_at.size(), 10u);
    EXPECT_EQ(pair.b.received_at.back(), 6 * millisecond - second);
}

TEST(Network, datagrams_to_unused_addresses_are_counted) {
    Pair pair(1, 3, 1, {});
    pair.network.connect(pair.from, Address::v4(10, 9, 9, 9, 1));
    EXPECT_EQ(pair.network.run(), Outcome::idle);
    EXPECT_EQ(pair.network.unroutable(), 3u);
}

TEST(Network, an_endpoint_that_is_never_idle_is_a_livelock) {
    Network network(1);
    Restless restless;
    network.add(left, restless);
    EXPECT_EQ(network.run_until(second, 1'000), Outcome::livelock);
}

TEST(Network, same_seed_gives_the_same_run) {
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
