// Flow control: lost limits, applications that do not take, many channels, and an idle or broken path.

#include <gtest/gtest.h>

#include "tests/sim/native/pair.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

TEST(NativeFlow, a_sender_stops_at_the_window_and_goes_on) {
    NativeSettings settings;
    settings.options = small_native_options();
    NativePair pair(1, settings);
    pair.nodes[1]->taking = false;
    EXPECT_EQ(pair.send(0, 0, 984, 50), 50u);
    pair.run_for(2 * second);
    EXPECT_EQ(pair.oracles[0].delivered_count(), 0u);
    // 24 KiB hold 24 messages that cost 1,000.
    EXPECT_EQ(pair.connection(0).in_flight(), 0u);
    EXPECT_GE(pair.connection(0).statistics().blocked_sent, 1u);
    EXPECT_EQ(pair.connection(1).statistics().dropped_no_room, 0u);
    pair.nodes[1]->taking = true;
    pair.network.wake(1);
    pair.run_until_delivered(second);
}

// Each datagram with a limit in it, or a report, is lost once or twice.
TEST(NativeFlow, lost_limits_stall_for_no_more_than_two_timeouts) {
    NativeSettings settings;
    settings.options = small_native_options();
    settings.rtt = 20 * millisecond;
    for (std::uint64_t first = 0; first < 40 && !testing::Test::HasFailure(); ++first) {
        SCOPED_TRACE(first);
        NativePair pair(1, settings);
        std::uint64_t back = 0;
        // Losses on the way back alone: two datagrams in a row, of those that carry limits.
        pair.network.decide([&](std::uint64_t) { return Fate{}; });
        pair.send(0, 0, 984, 60);
        Link lossy = settings.link;
        const Instant began = pair.network.now();
        Instant moved_at = began;
        std::uint64_t delivered = 0;
        Duration longest = 0;
        while (!pair.oracles[0].all_delivered() && pair.network.now() < began + 20 * second) {
            const std::uint64_t sent_back = pair.network.counts(1, 0).sent;
            lossy.loss = sent_back >= first && sent_back < first + 2 ? 1 : 0;
            pair.network.link(1, 0, lossy);
            pair.run_for(100 * microsecond);
            if (pair.oracles[0].delivered_count() > delivered) {
                delivered = pair.oracles[0].delivered_count();
                longest = std::max(longest, pair.network.now() - moved_at);
                moved_at = pair.network.now();
            }
            back = sent_back;
        }
        EXPECT_TRUE(pair.oracles[0].all_delivered());
        EXPECT_GE(back, 1u);
        // A probe timeout is 20 ms + 4 * 10 ms + 25 ms at first, and the second in a row is twice as long.
        EXPECT_LE(longest, 3 * 85 * millisecond + 20 * millisecond);
    }
}

TEST(NativeFlow, messages_larger_than_half_a_window) {
    NativeSettings settings;
    settings.options = small_native_options();
    settings.link.loss = 0.05;
    NativePair pair(1, settings);
    for (int i = 0; i < 20; ++i) {
        pair.send(0, 0, 20 << 10);
        pair.send(0, 1, 13'000);
        pair.send(0, 0, 10);
        pair.run_for(300 * millisecond);
    }
    pair.run_until_delivered(30 * second);
}

TEST(NativeFlow, two_hundred_channels_share_a_connection) {
    NativeSettings settings;
    settings.options = small_native_options();
    settings.options.channels = 200;
    settings.options.send_log_bytes = 16 << 10;
    settings.link.loss = 0.02;
    NativePair pair(1, settings);
    for (int round = 0; round < 4; ++round) {
        for (std::uint32_t channel = 0; channel < 200; ++channel) pair.send(0, channel, 500, 5);
        pair.run_for(100 * millisecond);
    }
    pair.run_until_delivered(60 * second);
}

TEST(NativeFlow, a_blocked_channel_does_not_hold_up_others) {
    NativeSettings settings;
    settings.options.channels = 2;
    settings.options.channel_window = 64 << 10;
    settings.options.message_bytes_max = 32 << 10;
    NativePair pair(1, settings);
    // A gap in channel 0 that is not closed for a while is not possible; a full log is.
    pair.send(0, 0, 1'000, 200);
    pair.send(0, 1, 100, 10);
    pair.run_until_delivered(5 * second);
}

// The higher priority goes first while the link is full.
TEST(NativeFlow, priorities) {
    NativeSettings settings;
    settings.options.channels = 2;
    settings.options.channel_options = {{.priority = 7}, {.priority = 0}};
    settings.options.congestion = CongestionControl::fixed;
    settings.options.fixed = {.rate = 1e6, .window = 1 << 20};
    NativePair pair(1, settings);
    pair.send(0, 0, 1'000, 250);
    pair.run_for(20 * millisecond);
    pair.send(0, 1, 64);
    pair.run_for(12 * millisecond);  // the delay, and a quantum
    EXPECT_EQ(pair.connection(1).statistics().messages_delivered - pair.oracles[0].delivered_count(), 0u);
    EXPECT_GE(pair.oracles[0].delivered_count(), 1u);
    EXPECT_LT(pair.oracles[0].delivered_count(), 100u);
    pair.run_until_delivered(5 * second);
}

// Two seconds of every five nothing gets through: it goes on within a round trip and a probe timeout.
TEST(NativeOutage, a_path_that_comes_and_goes) {
    NativePair pair(1);
    Link cut{.loss = 1, .delay = 10 * millisecond};
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 30; ++i) {
            pair.send(0, 0, 500, 20);
            pair.run_for(100 * millisecond);
        }
        pair.network.link_both(0, 1, cut);
        pair.send(0, 0, 500, 50);
        pair.run_for(2 * second);
        const std::uint64_t before = pair.oracles[0].delivered_count();
        pair.network.link_both(0, 1, {.delay = 10 * millisecond});
        // The timeout has doubled while nothing came through, up to what has passed.
        pair.run_for(2'500 * millisecond);
        EXPECT_GT(pair.oracles[0].delivered_count(), before);
        pair.run_until_delivered(second);
    }
    EXPECT_FALSE(pair.nodes[0]->closed || pair.nodes[1]->closed);
}

TEST(NativeOutage, a_dead_peer_is_found_in_the_idle_timeout) {
    NativePair pair(1);
    pair.send(0, 0, 100, 5);
    pair.run_for(5 * second);
    pair.network.kill(1, true);
    pair.run_for(24 * second);
    EXPECT_FALSE(pair.nodes[0]->closed.has_value());
    pair.run_for(7 * second);
    ASSERT_TRUE(pair.nodes[0]->closed.has_value());
    EXPECT_EQ(pair.nodes[0]->closed->code, native::CloseCode::idle);
    EXPECT_TRUE(pair.connection(0).ended());
}

// A path that drops datagrams above 1,280 bytes with their headers, and whose ICMP errors nobody sees.
TEST(NativeOutage, a_path_that_drops_large_datagrams) {
    for (const double loss : {0.0, 0.1}) {
        for (const std::size_t bytes : {1'400u, 5'000u, 60u}) {
            SCOPED_TRACE(std::to_string(bytes) + " bytes, loss " + std::to_string(loss));
            NativeSettings settings;
            settings.link.bytes_max = 1'232;
            settings.link.loss = loss;
            NativePair pair(1, settings);
            for (int i = 0; i < 20; ++i) {
                pair.send(0, 0, bytes, 50);
                pair.send(1, 1, 10);
                pair.run_for(100 * millisecond);
            }
            pair.run_until_delivered(20 * second);
            EXPECT_EQ(pair.connection(0).statistics().black_holes, 1u);
            EXPECT_EQ(pair.connection(0).path().datagram_bytes, 1'200u);
            EXPECT_EQ(pair.connection(1).statistics().black_holes, 0u);
        }
    }
}

TEST(NativeOutage, a_path_that_begins_to_drop_large_datagrams) {
    NativePair pair(1);
    pair.send(0, 0, 1'000, 100);
    pair.send(0, 1, 50'000, 2);
    pair.run_for(22 * millisecond);
    Link narrow{.delay = 10 * millisecond};
    narrow.bytes_max = 1'232;
    pair.network.link_both(0, 1, narrow);
    const Instant began = pair.network.now();
    pair.send(0, 0, 1'400, 100);
    pair.run_until_delivered(20 * second);
    EXPECT_LT(pair.network.now() - began, 3 * second);
    EXPECT_EQ(pair.connection(0).statistics().black_holes, 1u);
}

TEST(NativeOutage, loss_and_cuts_are_no_black_hole) {
    for (const double loss : {0.3, 0.5}) {
        NativeSettings settings;
        settings.link.loss = loss;
        NativePair pair(1, settings);
        for (int i = 0; i < 200; ++i) {
            pair.send(0, 0, 1'400, 20);
            pair.send(0, 1, 10);
            pair.run_for(100 * millisecond);
            Link cut = settings.link;
            if (i % 50 < 20) cut.loss = 1;
            pair.network.link_both(0, 1, cut);
        }
        EXPECT_EQ(pair.connection(0).statistics().black_holes, 0u) << "loss " << loss;
    }
}

TEST(NativeOutage, an_idle_connection_with_a_short_timeout_is_kept_alive) {
    NativeSettings settings;
    settings.options.idle_timeout = 2 * second;  // and a keep-alive of 15 s
    NativePair pair(1, settings);
    pair.run_for(60 * second);
    EXPECT_FALSE(pair.nodes[0]->closed || pair.nodes[1]->closed);
}

TEST(NativeOutage, an_idle_connection_is_kept_alive) {
    NativePair pair(1);
    pair.run_for(600 * second);
    EXPECT_FALSE(pair.nodes[0]->closed || pair.nodes[1]->closed);
    EXPECT_LT(pair.connection(0).statistics().packets_sent, 200u);
    EXPECT_GE(pair.connection(0).statistics().packets_sent, 20u);
    pair.send(0, 0, 100);
    pair.run_until_delivered(second);
}

// A process that was stopped, for less or longer than the idle timeout, does not take its peer for dead.
TEST(NativeOutage, a_stopped_process_asks_before_it_concludes) {
    for (const Duration stopped : {20 * second, 60 * second}) {
        NativeSettings settings;
        settings.options.idle_timeout = 30 * second;
        NativePair pair(1, settings);
        pair.send(0, 0, 100, 5);
        pair.run_for(second);
        const Duration rtt = pair.connection(0).rtt().smoothed();
        pair.send(0, 0, 100, 5);
        pair.run_for(millisecond);
        // Its clock runs ahead of everything else, as after a stop.
        pair.network.jump(0, stopped);
        pair.run_for(100 * millisecond);
        EXPECT_FALSE(pair.nodes[0]->closed.has_value()) << stopped / second;
        pair.send(0, 0, 100, 5);
        pair.send(1, 0, 100, 5);
        pair.run_until_delivered(2 * second);
        EXPECT_LT(pair.connection(0).rtt().smoothed(), 2 * rtt) << "the time that it was stopped is no round trip";
        pair.run_for(60 * second);
        EXPECT_FALSE(pair.nodes[0]->closed.has_value()) << stopped / second;
    }
}

}  // namespace
}  // namespace ringpost::sim
