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

// As when both wait in close() and nobody polls events.
TEST(NativeClose, both_sides_at_once_without_taking_events) {
    NativePair pair(1);
    pair.send(0, 0, 1'000, 50);
    pair.run_until_delivered(second);
    for (NodeIndex node : {0u, 1u}) {
        pair.nodes[node]->taking = false;
        pair.close(node, 10 * second);
    }
    pair.run_for(second);
    for (NodeIndex node : {0u, 1u}) {
        ASSERT_NE(pair.connection(node).outcome(), nullptr);
        EXPECT_TRUE(pair.connection(node).outcome()->all_delivered);
    }
}

// An application that has taken messages and cannot use them.
TEST(NativeClose, a_deadline_in_the_past_delivers_nothing) {
    for (const Duration after : {0 * millisecond, 15 * millisecond, 25 * millisecond}) {
        NativePair pair(1);
        pair.send(0, 0, 100, 5);
        pair.run_until_delivered(second);
        pair.close(0, 10 * second);
        pair.run_for(after);
        const bool answered = pair.nodes[0]->closed.has_value();
        pair.close(1, -1);
        pair.run_for(second);
        ASSERT_TRUE(pair.nodes[0]->closed && pair.nodes[1]->closed);
        EXPECT_EQ(pair.nodes[0]->closed->all_delivered, answered) << after;
        EXPECT_TRUE(pair.nodes[0]->closed->by_peer || answered);
    }
}

TEST(NativeClose, more_channels_than_a_packet_names) {
    NativeSettings settings;
    settings.options.channels = 255;
    settings.options.datagram_bytes = 1'200;
    NativePair pair(1, settings);
    for (std::uint32_t channel = 0; channel < 255; ++channel) ASSERT_EQ(pair.send(0, channel, 10), 1u);
    pair.close(0, 10 * second);
    pair.run_for(20 * second);
    ASSERT_TRUE(pair.nodes[0]->closed && pair.nodes[1]->closed);
    EXPECT_TRUE(pair.nodes[0]->closed->all_delivered);
    EXPECT_LT(pair.nodes[0]->closed_at, second);
    EXPECT_TRUE(pair.everything_delivered());

    NativePair dead(2, settings);
    dead.nodes[1]->taking = false;
    for (std::uint32_t channel = 0; channel < 255; ++channel) ASSERT_EQ(dead.send(0, channel, 10), 1u);
    dead.close(0, second);
    dead.run_for(2 * second);
    EXPECT_FALSE(dead.nodes[0]->closed->all_delivered);
    ASSERT_NE(dead.connection(1).outcome(), nullptr) << "the end at the deadline is announced, too";
    EXPECT_EQ(dead.connection(1).outcome()->code, native::CloseCode::deadline);
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
