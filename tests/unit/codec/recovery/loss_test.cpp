#include "codec/recovery/loss.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace ringpost::recovery {
namespace {

using Numbers = std::vector<std::uint64_t>;

struct Sender {
    explicit Sender(std::uint32_t capacity = 1'024) : loss(capacity) {}

    std::uint64_t send(Instant at, std::uint8_t flags = sent_eliciting, std::uint16_t bytes = 1'000) {
        const std::uint64_t number = loss.ring().next();
        loss.on_sent({.at = at, .bytes = bytes, .flags = flags});
        return number;
    }
    AckOutcome ack(Instant now, std::vector<PacketRange> ranges, Duration delay = 0) {
        AckOutcome outcome;
        error = loss.on_ack(now, ranges, delay, *this, outcome);
        return outcome;
    }
    AckOutcome due(Instant now) {
        AckOutcome outcome;
        loss.on_loss_timer(now, *this, outcome);
        return outcome;
    }
    void on_packet_acked(std::uint64_t number, const SentPacket&) { acked.push_back(number); }
    void on_packet_lost(std::uint64_t number, const SentPacket&) { lost.push_back(number); }

    LossDetector loss;
    AckError error = AckError::none;
    Numbers acked, lost;
};

TEST(RecoveryLoss, acknowledged_in_order) {
    Sender sender;
    for (Instant at = 0; at < 5; ++at) sender.send(at * millisecond);
    EXPECT_EQ(sender.loss.in_flight(), 5'000u);
    const AckOutcome outcome = sender.ack(50 * millisecond, {{0, 2}});
    EXPECT_EQ(sender.acked, (Numbers{0, 1, 2}));
    EXPECT_EQ(outcome.acked_bytes, 3'000u);
    EXPECT_EQ(outcome.in_flight_before, 5'000u);
    EXPECT_EQ(outcome.acked_largest, 2u);
    EXPECT_TRUE(outcome.rtt_sampled);
    EXPECT_EQ(sender.loss.rtt().latest(), 48 * millisecond);
    EXPECT_EQ(sender.loss.in_flight(), 2'000u);
    EXPECT_EQ(sender.ack(51 * millisecond, {{0, 2}}).acked_packets, 0u) << "a second time changes nothing";
    EXPECT_EQ(sender.loss.due().timer, LossTimer::probe);
    sender.ack(60 * millisecond, {{0, 4}});
    EXPECT_EQ(sender.loss.due().timer, LossTimer::none);
    EXPECT_TRUE(sender.lost.empty());
}

// The acknowledgement came while this process did not run, and waited.
TEST(RecoveryLoss, what_was_sent_before_a_stall_measures_no_round_trip) {
    Sender sender;
    sender.send(0);
    sender.ack(20 * millisecond, {{0, 0}});
    sender.send(30 * millisecond);
    sender.loss.on_stall(10 * second);
    EXPECT_FALSE(sender.ack(10 * second, {{0, 1}}).rtt_sampled);
    EXPECT_EQ(sender.acked, (Numbers{0, 1}));
    EXPECT_EQ(sender.loss.rtt().smoothed(), 20 * millisecond);
    sender.send(10 * second);
    EXPECT_TRUE(sender.ack(10 * second + 40 * millisecond, {{0, 2}}).rtt_sampled);
    EXPECT_EQ(sender.loss.rtt().latest(), 40 * millisecond);
}

TEST(RecoveryLoss, three_later_packets_make_it_lost) {
    Sender sender;
    for (int i = 0; i < 5; ++i) sender.send(0);
    EXPECT_EQ(sender.ack(10 * millisecond, {{1, 2}}).lost_packets, 0u);
    EXPECT_EQ(sender.loss.due().timer, LossTimer::loss);
    EXPECT_EQ(sender.loss.due().at, 11'250 * microsecond);
    const AckOutcome outcome = sender.ack(10 * millisecond, {{1, 3}});
    EXPECT_EQ(outcome.lost_packets, 1u);
    EXPECT_EQ(outcome.lost_bytes, 1'000u);
    EXPECT_EQ(sender.lost, Numbers{0});
    EXPECT_EQ(sender.loss.in_flight(), 1'000u);
}

TEST(RecoveryLoss, its_time_makes_it_lost) {
    Sender sender;
    sender.send(0);
    sender.send(0);
    sender.ack(8 * millisecond, {{1, 1}});
    const auto due = sender.loss.due();
    EXPECT_EQ(due.at, 9 * millisecond);
    EXPECT_EQ(sender.due(due.at - 1).lost_packets, 0u);
    EXPECT_EQ(sender.due(due.at).lost_packets, 1u);
    EXPECT_FALSE(sender.loss.waiting());
}

TEST(RecoveryLoss, a_late_acknowledgement_raises_the_threshold) {
    Sender sender;
    for (int i = 0; i < 20; ++i) sender.send(i);
    EXPECT_EQ(sender.ack(10 * millisecond, {{1, 9}}).lost_packets, 1u);
    const AckOutcome outcome = sender.ack(10 * millisecond, {{0, 9}});
    EXPECT_EQ(outcome.late_packets, 1u);
    EXPECT_EQ(outcome.acked_packets, 0u);
    EXPECT_EQ(sender.acked.back(), 0u);
    EXPECT_EQ(sender.loss.packet_threshold(), 10u);
    EXPECT_EQ(sender.ack(10 * millisecond, {{0, 9}}).late_packets, 0u) << "once";
    EXPECT_EQ(sender.ack(10 * millisecond, {{11, 19}, {0, 9}}).lost_packets, 0u)
        << "nine later ones are known to be possible";
}

TEST(RecoveryLoss, the_raised_threshold_decays) {
    Sender sender;
    for (int i = 0; i < 200; ++i) sender.send(i);
    sender.ack(10 * millisecond, {{1, 150}});
    sender.ack(10 * millisecond, {{0, 150}});
    EXPECT_EQ(sender.loss.packet_threshold(), 151u);
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t number = sender.send((20 + i) * millisecond);
        sender.ack((20 + i) * millisecond + millisecond, {{0, number}});
    }
    EXPECT_EQ(sender.loss.packet_threshold(), 3u);
}

TEST(RecoveryLoss, the_threshold_has_a_limit) {
    Sender sender(4'096);
    for (int i = 0; i < 2'000; ++i) sender.send(i);
    sender.ack(10 * millisecond, {{1, 1'999}});
    sender.ack(10 * millisecond, {{0, 1'999}});
    EXPECT_EQ(sender.loss.packet_threshold(), 1'024u);
}

TEST(RecoveryLoss, lies_are_detected) {
    Sender sender;
    sender.send(0);
    sender.send(0, sent_skipped, 0);
    sender.send(0);
    sender.ack(millisecond, {{3, 3}});
    EXPECT_EQ(sender.error, AckError::unsent);
    EXPECT_TRUE(sender.acked.empty());
    sender.ack(millisecond, {{2, 2}, {0, 0}});
    EXPECT_EQ(sender.error, AckError::none);
    sender.ack(millisecond, {{0, 2}});
    EXPECT_EQ(sender.error, AckError::skipped);
}

TEST(RecoveryLoss, packets_that_elicit_nothing_are_not_in_flight) {
    Sender sender;
    sender.send(0, 0);
    EXPECT_EQ(sender.loss.in_flight(), 0u);
    EXPECT_EQ(sender.loss.due().timer, LossTimer::none);
    sender.send(0);
    for (int i = 0; i < 8; ++i) sender.send(0, 0);
    const AckOutcome outcome = sender.ack(millisecond, {{0, 9}});
    EXPECT_EQ(outcome.acked_packets, 1u);
    EXPECT_FALSE(outcome.rtt_sampled) << "the largest elicited nothing";
}

TEST(RecoveryLoss, the_probe_timer_backs_off_and_starts_again) {
    Sender sender;
    sender.loss.set_ack_delay_max(0);
    sender.send(0);
    sender.ack(100 * millisecond, {{0, 0}});
    sender.send(100 * millisecond);
    const Instant first = sender.loss.due().at;
    EXPECT_EQ(first, 100 * millisecond + 300 * millisecond);
    sender.loss.on_probe_timer(first);
    EXPECT_EQ(sender.loss.due().at, first + 600 * millisecond);
    sender.loss.on_probe_timer(first + 600 * millisecond);
    EXPECT_EQ(sender.loss.due().at, first + 600 * millisecond + limits::probe_timeout_max) << "no later";
    sender.send(first + 700 * millisecond);
    sender.ack(first + 800 * millisecond, {{2, 2}});
    EXPECT_EQ(sender.loss.timeouts_in_a_row(), 0u);
}

// RFC 9002, 7.6.3, gives this example: packets at 0 to 1, probes at 8 and 14.. all lost, then an acknowledgement.
TEST(RecoveryLoss, persistent_congestion) {
    const auto play = [](Duration between, bool one_comes_through) {
        Sender sender;
        sender.loss.set_ack_delay_max(0);
        sender.send(0);
        sender.ack(100 * millisecond, {{0, 0}});
        Instant now = 100 * millisecond;
        for (int i = 0; i < 10; ++i) sender.send(now += between);
        if (one_comes_through) return sender.ack(now + 100 * millisecond, {{10, 10}, {5, 5}}).persistent;
        return sender.ack(now + 100 * millisecond, {{10, 10}}).persistent;
    };
    // One timeout is 300 ms, or less as the variation falls with the second sample: three are at most 900 ms.
    EXPECT_TRUE(play(120 * millisecond, false));
    EXPECT_FALSE(play(20 * millisecond, false));
    EXPECT_FALSE(play(120 * millisecond, true));
}

// Against a set, in random order, with losses, in a ring that wraps.
TEST(RecoveryLoss, agrees_with_a_model) {
    std::mt19937_64 random(7);
    Sender sender(256);
    std::set<std::uint64_t> flying;
    std::vector<std::uint64_t> arrived;
    Instant now = 0;
    for (int round = 0; round < 600; ++round) {
        now += millisecond;
        for (std::uint64_t i = random() % 8; i > 0 && !sender.loss.ring().full(); --i) {
            const bool skipped = random() % 50 == 0;
            const std::uint64_t number = sender.send(now, skipped ? sent_skipped : sent_eliciting, skipped ? 0 : 1'000);
            if (skipped) continue;
            flying.insert(number);
            if (random() % 10 > 0) arrived.push_back(number);
        }
        if (arrived.empty()) continue;
        std::vector<PacketRange> ranges;
        std::sort(arrived.begin(), arrived.end());
        for (auto at = arrived.rbegin(); at != arrived.rend() && ranges.size() < 64; ++at) {
            if (!ranges.empty() && *at + 1 == ranges.back().first)
                ranges.back().first = *at;
            else
                ranges.push_back({*at, *at});
        }
        sender.acked.clear();
        sender.lost.clear();
        const AckOutcome outcome = sender.ack(now, ranges);
        ASSERT_EQ(sender.error, AckError::none);
        ASSERT_EQ(outcome.late_packets, 0u);
        for (const std::uint64_t number : sender.acked) ASSERT_EQ(flying.erase(number), 1u);
        for (const std::uint64_t number : sender.lost) ASSERT_EQ(flying.erase(number), 1u);
        ASSERT_EQ(sender.loss.in_flight(), 1'000 * flying.size());
        const std::uint64_t largest = ranges.front().last;
        for (const std::uint64_t number : flying) {
            ASSERT_FALSE(std::binary_search(arrived.begin(), arrived.end(), number));
            ASSERT_TRUE(number > largest || largest - number < 3);
        }
    }
}

}  // namespace
}  // namespace ringpost::recovery
