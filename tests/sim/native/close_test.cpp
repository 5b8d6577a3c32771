// Closing with data in flight, full windows, faults, and a peer that is gone: the outcome agrees with the oracle, and
// comes by the deadline.

#include <gtest/gtest.h>

#include "tests/sim/native/pair.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

TEST(NativeClose, an_idle_connection_closes_at_once) {
    NativePair pair(1);
    pair.run_for(100 * millisecond);
    const Instant began = pair.network.now();
    pair.close(0, 10 * second);
    pair.run_for(5 * second);
    ASSERT_TRUE(pair.nodes[0]->closed && pair.nodes[1]->closed);
    EXPECT_TRUE(pair.nodes[0]->closed->all_delivered);
    EXPECT_FALSE(pair.nodes[0]->closed->by_peer);
    EXPECT_LE(pair.nodes[0]->closed_at - began, 21 * millisecond) << "a round trip";
    EXPECT_TRUE(pair.nodes[1]->closed->by_peer);
    EXPECT_TRUE(pair.connection(0).ended() && pair.connection(1).ended());
    EXPECT_EQ(pair.send(0, 0, 1), 0u);
}

TEST(NativeClose, everything_is_flushed_first) {
    NativePair pair(1);
    const std::uint64_t sent = pair.send(0, 0, 1'000, 200);
    pair.close(0, 10 * second);
    EXPECT_EQ(pair.send(0, 0, 1'000), 0u) << "no new sends";
    pair.run_for(5 * second);
    EXPECT_EQ(pair.oracles[0].delivered_count(), sent);
    ASSERT_TRUE(pair.nodes[0]->closed.has_value());
    EXPECT_TRUE(pair.nodes[0]->closed->all_delivered);
    EXPECT_EQ(pair.nodes[0]->closed->unconfirmed, 0u);
}

TEST(NativeClose, acknowledged_is_not_delivered) {
    NativePair pair(1);
    pair.nodes[1]->taking = false;
    pair.send(0, 0, 100, 20);
    pair.close(0, 2 * second);
    pair.run_for(5 * second);
    ASSERT_TRUE(pair.nodes[0]->closed.has_value());
    EXPECT_FALSE(pair.nodes[0]->closed->all_delivered);
    EXPECT_EQ(pair.nodes[0]->closed->unconfirmed, 0u);
    EXPECT_EQ(pair.nodes[0]->closed_at, 2 * second);
}

TEST(NativeClose, the_peer_is_gone) {
    NativePair pair(1);
    pair.network.kill(1, true);
    const std::uint64_t sent = pair.send(0, 0, 100, 50);
    pair.close(0, 3 * second);
    pair.run_for(60 * second);
    ASSERT_TRUE(pair.nodes[0]->closed.has_value());
    EXPECT_FALSE(pair.nodes[0]->closed->all_delivered);
    EXPECT_EQ(pair.nodes[0]->closed->unconfirmed, sent);
    EXPECT_EQ(pair.nodes[0]->closed->code, native::CloseCode::deadline);
    EXPECT_EQ(pair.nodes[0]->closed_at, 3 * second);
    EXPECT_TRUE(pair.connection(0).ended());
}

TEST(NativeClose, both_sides_at_once) {
    NativePair pair(1);
    pair.send(0, 0, 1'000, 50);
    pair.send(1, 0, 1'000, 50);
    pair.run_for(15 * millisecond);
    pair.close(0, 10 * second);
    pair.close(1, 10 * second);
    pair.run_for(20 * second);
    EXPECT_TRUE(pair.everything_delivered());
    for (const auto& node : pair.nodes) {
        ASSERT_TRUE(node->closed.has_value());
        EXPECT_TRUE(node->closed->all_delivered);
        EXPECT_TRUE(node->connection->ended());
    }
}

void play_close(std::uint64_t seed) {
    Random random(seed);
    NativeSettings settings;
    if (random.chance(0.6)) settings.options = small_native_options();
    settings.options.channels = 4;
    settings.link.delay = static_cast<Duration>(random.between(1, 50)) * millisecond;
    settings.link.loss = random.chance(0.5) ? 0.3 : random.chance(0.3) ? 0.6 : 0;
    settings.link.jitter = random.chance(0.3) ? 20 * millisecond : 0;
    settings.link.duplicate = random.chance(0.3) ? 0.2 : 0;
    NativePair pair(seed, settings);
    const auto pour = [&] {
        for (NodeIndex node = 0; node < 2; ++node)
            if (random.chance(0.7))
                pair.send(node, static_cast<std::uint32_t>(random.below(4)), random.below(5'000),
                          random.between(1, 100));
    };
    for (std::uint64_t i = random.below(5); i > 0; --i) {
        pour();
        pair.run_for(static_cast<Duration>(random.below(100)) * millisecond);
    }
    pour();
    if (random.chance(0.1)) pair.network.kill(1, true);
    if (random.chance(0.2)) pair.nodes[1]->taking = false;
    const auto patience = static_cast<Duration>(random.between(1, 8'000)) * millisecond;
    const Instant deadline = pair.network.now() + patience;
    pair.close(0, patience);
    if (random.chance(0.2)) pair.close(1, patience);
    // The outcome must hold at the moment it is reported.
    while (!pair.nodes[0]->closed && pair.network.now() <= deadline && !testing::Test::HasFailure())
        pair.run_for(std::min<Duration>(millisecond, std::max<Duration>(1, deadline - pair.network.now())) + 1);
    ASSERT_TRUE(pair.nodes[0]->closed.has_value()) << "by the deadline";
    EXPECT_TRUE(!pair.nodes[0]->closed->all_delivered || pair.oracles[0].all_delivered());
    EXPECT_LE(pair.oracles[0].sent_count() - pair.oracles[0].delivered_count(),
              pair.nodes[1]->taking ? pair.nodes[0]->closed->unconfirmed : pair.oracles[0].sent_count());
    pair.run_for(120 * second);
    EXPECT_TRUE(pair.connection(0).ended());
    EXPECT_TRUE(!pair.network.is_up(1) || !pair.nodes[1]->taking || pair.connection(1).ended()) << "the other side too";
}

TEST(NativeClose, the_outcome_is_true_and_in_time) { for_each_seed(150, play_close); }

}  // namespace
}  // namespace ringpost::sim
