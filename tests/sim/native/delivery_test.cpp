// Ordered channels under every fault a link can have: each message arrives once, unchanged and in order.

#include <gtest/gtest.h>

#include "tests/sim/native/pair.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

TEST(NativeDelivery, a_message_each_way) {
    NativePair pair(1);
    pair.send(0, 0, 5);
    pair.send(1, 3, 100);
    pair.run_until_delivered(second);
    EXPECT_EQ(pair.connection(0).statistics().packets_lost, 0u);
}

TEST(NativeDelivery, twenty_two_messages_of_64_bytes_in_a_packet) {
    NativePair pair(1);
    EXPECT_EQ(pair.send(0, 0, 64, 220), 220u);
    pair.run_until_delivered(second);
    EXPECT_EQ(pair.connection(0).statistics().packets_sent - pair.connection(0).statistics().acks_sent, 10u);
}

TEST(NativeDelivery, large_messages_in_parts) {
    NativeSettings settings;
    settings.options.send_log_bytes = 4 << 20;
    settings.options.message_bytes_max = (1 << 20) - 16;
    settings.link.loss = 0.02;
    settings.link.jitter = 2 * millisecond;
    NativePair pair(3, settings);
    for (const std::size_t bytes : {1'400u, 1'444u, 1'500u, 70'000u, 3u, 0u, 500'000u, (1u << 20) - 16})
        EXPECT_EQ(pair.send(0, 0, bytes), 1u) << bytes;
    EXPECT_EQ(pair.send(0, 0, 1 << 20), 0u) << "too large";
    pair.run_until_delivered(60 * second);
}

// Numbers that are skipped do not fill a ring of few packets.
TEST(NativeDelivery, for_a_long_time_with_few_records) {
    NativeSettings settings;
    settings.options = small_native_options();
    settings.options.packets_in_flight_max = 128;
    settings.options.receive_window = 128;
    settings.link.delay = 100 * microsecond;
    NativePair pair(1, settings);
    std::uint64_t sent = 0;
    for (int i = 0; i < 20'000 && sent < 40'000; ++i) {
        sent += pair.send(0, 0, 1'000, 40);
        pair.run_for(2 * millisecond);
    }
    pair.run_until_delivered(second);
    EXPECT_GE(pair.connection(0).statistics().packets_sent, 40'000u);
    // The receiver has skipped numbers of its own, which nobody will ever acknowledge.
    EXPECT_EQ(pair.send(1, 0, 100), 1u);
    pair.run_until_delivered(100 * millisecond);
}

TEST(NativeDelivery, packet_numbers_above_32_bits) {
    NativeSettings settings;
    settings.options.first_number = (std::uint64_t{1} << 32) - 300;
    settings.suite = crypto::Suite::chacha20_poly1305;  // the number is its nonce
    settings.link.loss = 0.1;
    settings.link.jitter = 5 * millisecond;
    NativePair pair(1, settings);
    for (int i = 0; i < 100; ++i) {
        pair.send(0, 0, 1'000, 20);
        pair.send(1, 0, 1'000, 20);
        pair.run_for(50 * millisecond);
    }
    pair.run_until_delivered(60 * second);
    for (NodeIndex node : {0u, 1u}) {
        EXPECT_GT(pair.connection(node).statistics().packets_sent, 1'000u);
        EXPECT_EQ(pair.connection(node).statistics().dropped_forged, 0u);
    }
}

// The path is cut when every record is in use.
TEST(NativeDelivery, a_cut_with_all_records_in_use) {
    NativeSettings settings;
    settings.options = small_native_options();
    settings.options.packets_in_flight_max = 128;
    settings.options.send_log_bytes = 1 << 20;
    settings.options.channel_window = settings.options.connection_window = 1 << 20;
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 0, .window = 1 << 20};
    NativePair pair(1, settings);
    Link cut = settings.link;
    cut.loss = 1;
    pair.network.link_both(0, 1, cut);
    EXPECT_EQ(pair.send(0, 0, 1'200, 500), 500u);
    EXPECT_EQ(pair.send(1, 0, 1'200, 500), 500u);
    pair.run_for(20 * second);
    pair.network.link_both(0, 1, settings.link);
    pair.run_until_delivered(10 * second);
}

/// One random life: sizes, channels, directions, faults, an application that pauses. Returns the messages delivered.
std::uint64_t play_faults(std::uint64_t seed) {
    Random random(seed);
    NativeSettings settings;
    if (random.chance(0.7)) settings.options = small_native_options();
    const std::uint32_t channels[] = {1, 4, 4, 20}, packets[] = {128, 1'024, 1'024, 8'192}, trains[] = {1, 3, 45};
    settings.options.channels = random.one_of(std::span<const std::uint32_t>(channels));
    settings.options.packets_in_flight_max = random.one_of(std::span<const std::uint32_t>(packets));
    settings.options.receive_window = settings.options.packets_in_flight_max;
    settings.options.train_segments = random.one_of(std::span<const std::uint32_t>(trains));
    settings.options.ack_delay = static_cast<Duration>(random.between(1, 50)) * millisecond;
    if (random.chance(0.3)) settings.suite = crypto::Suite::chacha20_poly1305;
    settings.options.datagram_bytes = static_cast<std::uint32_t>(random.between(1'200, 1'500));
    if (random.chance(0.2)) {
        settings.options.congestion = CongestionControl::fixed;
        settings.options.fixed = {2e6, 200'000, random.chance(0.5)};
    }
    Link& link = settings.link;
    const double losses[] = {0, 0.01, 0.1, 0.3, 0.5};
    link.loss = random.one_of(std::span<const double>(losses));
    // CUBIC has a window of two packets then. Half a minute of silence happens, and millions of bytes take hours.
    const bool half_is_lost = link.loss >= 0.5;
    if (half_is_lost) settings.options.idle_timeout = 240 * second;
    link.duplicate = random.chance(0.5) ? 0.1 : 0;
    link.corrupt = random.chance(0.5) ? 0.02 : 0;
    link.truncate = random.chance(0.3) ? 0.02 : 0;
    link.delay = static_cast<Duration>(random.between(10, 30'000)) * microsecond;
    link.jitter = random.chance(0.5) ? 0 : static_cast<Duration>(random.between(0, 30'000)) * microsecond;
    NativePair pair(seed, settings);
    const std::size_t large = settings.options.message_bytes_max;
    for (int step = 0; step < 60 && !testing::Test::HasFailure(); ++step) {
        const NodeIndex from = random.below(2);
        const std::size_t sizes[] = {
            0, 1, 64, 64, 64, 250, 252, 1'000, 1'450, 5'000, std::min<std::size_t>(large, 60'000)};
        pair.send(from, static_cast<std::uint32_t>(random.below(settings.options.channels)),
                  random.one_of(std::span<const std::size_t>(sizes)), random.between(1, 100));
        if (random.chance(0.1)) pair.nodes[random.below(2)]->taking ^= true;
        if (random.chance(0.05)) {
            Link cut = link;
            cut.loss = 1;
            pair.network.link_both(0, 1, cut);
            pair.run_for(static_cast<Duration>(random.below(3'000)) * millisecond);
            pair.network.link_both(0, 1, link);
        }
        if (random.chance(0.03)) pair.network.jump(random.below(2), static_cast<Duration>(random.below(10)) * second);
        pair.run_for(static_cast<Duration>(random.below(50)) * millisecond);
    }
    for (const auto& node : pair.nodes) node->taking = true;
    pair.network.wake(0);
    pair.network.wake(1);
    pair.run_until_delivered(half_is_lost ? 20'000 * second : 600 * second);
    for (NodeIndex node = 0; node < 2; ++node) {
        const auto& closed = pair.nodes[node]->closed;
        EXPECT_FALSE(closed.has_value()) << "node " << node << " closed at " << pair.nodes[node]->closed_at << ", code "
                                         << static_cast<int>(closed->code) << ", by peer: " << closed->by_peer;
        EXPECT_EQ(pair.connection(node).statistics().dropped_malformed, 0u);
    }
    return pair.oracles[0].delivered_count() + pair.oracles[1].delivered_count();
}

TEST(NativeDelivery, under_every_fault) {
    std::uint64_t delivered = 0;
    for_each_seed(60, [&](std::uint64_t seed) { delivered += play_faults(seed); });
    print_messages(delivered);
}

}  // namespace
}  // namespace ringpost::sim
