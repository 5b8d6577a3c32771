// The times at which a gtUDP endpoint sends datagrams to a scripted probe.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/gtudp/duo.hpp"

namespace ringpost::sim {
namespace {

using gtudp::Kind;

// DATA has twice the timeout of RECV, since the RECV is retransmitted as well.
constexpr Duration data_longest = 2 * gtudp::ResendOptions{}.timeout_max,
                   recv_longest = gtudp::ResendOptions{}.timeout_max;

// For a peer with unknown round-trip time: gaps start with timeout_initial, grow, end at `longest`, and each may be up
// to an eighth longer.
void expect_backing_off(const std::vector<Instant>& sends, Duration longest) {
    Duration least = gtudp::ResendOptions{}.timeout_initial;
    ASSERT_GE(sends.size(), 3u);
    EXPECT_LE(sends[1] - sends[0], least + least / 8);
    for (std::size_t i = 1; i < sends.size(); ++i) {
        const Duration gap = sends[i] - sends[i - 1];
        EXPECT_GE(gap, least) << "send " << i;
        EXPECT_LE(gap, longest + longest / 8) << "send " << i;
        least = std::max(least, gap - gap / 8);
    }
    EXPECT_GE(sends.back() - sends[sends.size() - 2], longest);
}

TEST(GtudpResend, an_unresponsive_peer_is_given_up_after_six_sends) {
    Duel duel(small_options(1));
    duel.send(duo_addresses[1], "anybody there?");
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    const auto sends = duel.datas();
    EXPECT_EQ(sends.size(), 6u);
    expect_backing_off(sends, data_longest);
    ASSERT_EQ(duel.ends.size(), 1u);
    EXPECT_EQ(duel.ends[0].event.outcome, gtudp::Outcome::gave_up_attempts);
    EXPECT_EQ(duel.ends[0].event.sends, 6u);
    EXPECT_GE(duel.ends[0].at - sends.back(), data_longest) << "the last send has its full timeout";
}

TEST(GtudpResend, a_fixed_interval_is_exact) {
    gtudp::Options options = small_options(1);
    options.resending.fixed_interval = 500 * millisecond;
    Duel duel(options);
    duel.send(duo_addresses[1], "tick");
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    const Instant first = duel.datas().at(0);
    for (Instant i = 0; i < 6; ++i)
        EXPECT_EQ(duel.datas().at(static_cast<std::size_t>(i)), first + i * 500 * millisecond);
}

// Socket 0 of the probe never answers; socket 1 has constant traffic in both directions.
TEST(GtudpResend, traffic_with_one_peer_does_not_delay_retransmissions_to_another) {
    for (const bool traffic : {false, true}) {
        gtudp::Options options = small_options(1);
        options.resending.fixed_interval = 500 * millisecond;
        Duel duel(options);
        duel.send(Duel::probe_at(0), "are you there?");
        const Instant start = duel.network.now();
        for (gtudp::Identity i = 0; traffic && i < 300; ++i) {
            const Instant at = i * 10 * millisecond;
            EXPECT_EQ(duel.network.run_until(start + at), Outcome::at_end);
            duel.send_frame(at, Kind::data, i, "chatter", 1);
            duel.send_frame(at + 15 * millisecond, Kind::ack, i, "", 1);
            duel.send_frame(at + 15 * millisecond, Kind::recv, duel.send(Duel::probe_at(1), "chatter").identity, "", 1);
        }
        EXPECT_EQ(duel.network.run(), Outcome::idle);
        const auto sends = duel.datas(0);
        ASSERT_EQ(sends.size(), 6u);
        for (std::size_t i = 0; i < 6; ++i)
            EXPECT_EQ(sends[i] - sends[0], static_cast<Instant>(i) * 500 * millisecond) << "traffic: " << traffic;
        EXPECT_EQ(duel.messages.size(), traffic ? 300u : 0u);
        EXPECT_EQ(duel.endpoint.counters().confirmed, traffic ? 300u : 0u);
    }
}

// The round-trip time of one peer does not affect the other.
TEST(GtudpResend, each_peer_has_its_own_timeout) {
    gtudp::Options options = small_options(1);
    options.resending.patience = 0;
    Duel duel(options);
    for (int i = 0; i < 20; ++i) {
        const auto id = duel.send(Duel::probe_at(1), "quick");
        duel.send_frame(duel.network.now() + 6 * millisecond, Kind::recv, id.identity, "", 1);
        duel.network.run_until(duel.network.now() + 20 * millisecond);
    }
    EXPECT_GT(duel.endpoint.rtt(Duel::probe_at(1)), 0);
    duel.send(Duel::probe_at(0), "slow");
    duel.send(Duel::probe_at(1), "quick");
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.endpoint.rtt(Duel::probe_at(0)), 0);
    expect_backing_off(duel.datas(0), data_longest);
    const auto quick = duel.datas(1);
    ASSERT_EQ(quick.size(), 26u);
    EXPECT_LT(quick[21] - quick[20], 100 * millisecond);
}

// Without patience, six sends end after a second on a fast network.
TEST(GtudpResend, patience_repeats_the_last_interval) {
    for (const Duration patience : {Duration{0}, 10 * second}) {
        gtudp::Options options = small_options(1);
        options.resending.patience = patience;
        Duel duel(options);
        const auto known = duel.send(duo_addresses[1], "known");
        duel.send_frame(6 * millisecond, Kind::recv, known.identity);
        duel.network.run_until(20 * millisecond);
        duel.send(duo_addresses[1], "unanswered");
        EXPECT_EQ(duel.network.run(), Outcome::idle);
        auto sends = duel.datas();
        sends.erase(sends.begin());
        ASSERT_EQ(duel.ends.size(), 2u);
        EXPECT_EQ(duel.ends[1].event.sends, sends.size());
        const Duration lasted = duel.ends[1].at - sends.front();
        if (patience == 0) {
            EXPECT_EQ(sends.size(), 6u);
            EXPECT_LT(lasted, 5 * second);
            continue;
        }
        EXPECT_GT(sends.size(), 6u);
        EXPECT_GE(lasted, patience);
        EXPECT_LE(lasted, patience + 3 * second);
        const Duration last = sends[6] - sends[5];
        for (std::size_t i = 7; i < sends.size(); ++i) {
            EXPECT_GE(sends[i] - sends[i - 1], last * 8 / 9);
            EXPECT_LE(sends[i] - sends[i - 1], last * 9 / 8 + 1);
        }
    }
}

TEST(GtudpResend, the_sends_of_a_patient_message_are_counted_up_to_255) {
    gtudp::Options options = small_options(1);
    options.resending.fixed_interval = 10 * millisecond;
    options.resending.patience = 10 * second;
    Duel duel(options);
    duel.send(duo_addresses[1], "unanswered");
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_NEAR(static_cast<double>(duel.datas().size()), 1'000, 5);
    ASSERT_EQ(duel.ends.size(), 1u);
    EXPECT_EQ(duel.ends[0].event.sends, 255u);
    EXPECT_EQ(duel.endpoint.counters().data_sent, duel.datas().size());
}

// Receiving from a peer does not prove that our datagrams reach it: during a one-way outage, retransmissions still back
// off, or the few sends would be used up at once.
TEST(GtudpResend, a_one_way_outage_of_a_second_is_survived) {
    Duel duel(small_options(1));
    for (int i = 0; i < 20; ++i) {
        const auto id = duel.send(duo_addresses[1], "before");
        duel.send_frame(duel.network.now() + 6 * millisecond, Kind::recv, id.identity);
        duel.network.run_until(duel.network.now() + 20 * millisecond);
    }
    const Instant outage = duel.network.now();
    const auto id = duel.send(duo_addresses[1], "lost for a second");
    for (gtudp::Identity i = 0; i < 100; ++i)
        duel.send_frame(outage + i * 10 * millisecond, Kind::data, i, "from the peer that receives nothing");
    EXPECT_EQ(duel.network.run_until(outage + second), Outcome::at_end);
    EXPECT_EQ(duel.ends.size(), 20u) << "still in flight";
    duel.send_frame(outage + second, Kind::recv, id.identity);
    duel.network.run();
    EXPECT_EQ(duel.endpoint.counters().confirmed, 21u);
}

TEST(GtudpResend, a_recv_without_an_ack_is_sent_ten_times) {
    Duel duel(small_options(1));
    duel.send_frame(0, Kind::data, 77, std::string(100, 'x'));  // for ten RECVs within three times its bytes
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.recvs().size(), 10u);
    expect_backing_off(duel.recvs(), recv_longest);
    EXPECT_EQ(duel.endpoint.counters().recv_gave_up, 1u);
    EXPECT_EQ(duel.messages.size(), 1u);
}

TEST(GtudpResend, a_repeated_data_is_answered_at_once_in_any_state) {
    Duel duel(small_options(1));
    const std::vector<Instant> comes = {0, 100 * millisecond, 150 * millisecond, 151 * millisecond, 5 * second};
    for (const Instant at : comes) duel.send_frame(at, Kind::data, 77, "knock knock");
    duel.send_frame(200 * millisecond, Kind::ack, 77);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    std::vector<Instant> expected;
    for (const Instant at : comes) expected.push_back(at + Duel::delay);
    EXPECT_EQ(duel.recvs(), expected);
    EXPECT_EQ(duel.messages.size(), 1u);
    EXPECT_EQ(duel.endpoint.counters().duplicates, 4u);
}

TEST(GtudpResend, a_late_data_is_a_duplicate_within_the_remembered_window_and_new_after_it) {
    gtudp::Options options = small_options(1);
    options.remembered = 30 * second;
    Duel duel(options);
    duel.send_frame(0, Kind::data, 77, "hello");
    duel.send_frame(20 * millisecond, Kind::ack, 77);
    // The window starts again with each of these datagrams.
    const Instant second_time = 20 * millisecond + options.remembered - 1,
                  third_time = second_time + options.remembered - 1;
    duel.send_frame(second_time, Kind::data, 77, "hello");
    duel.send_frame(third_time, Kind::data, 77, "hello");
    EXPECT_EQ(duel.network.run_until(third_time + second), Outcome::at_end);
    EXPECT_EQ(duel.messages.size(), 1u);
    duel.send_frame(third_time + options.remembered + 1, Kind::data, 77, "hello");
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.messages.size(), 2u);
    EXPECT_EQ(duel.endpoint.counters().forgotten_early, 0u);
}

TEST(GtudpResend, the_same_identity_from_another_address_is_another_exchange) {
    Duel duel(small_options(1));
    duel.send_frame(0, Kind::data, 77, "hello", 0);
    duel.send_frame(millisecond, Kind::data, 77, "hello", 1);
    duel.send_frame(20 * millisecond, Kind::ack, 77, "", 0);
    EXPECT_EQ(duel.network.run_until(500 * millisecond), Outcome::at_end);
    ASSERT_EQ(duel.messages.size(), 2u);
    EXPECT_EQ(duel.messages[0].from, Duel::probe_at(0));
    EXPECT_EQ(duel.messages[1].from, Duel::probe_at(1));
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.recvs(0).size(), 1u);
    EXPECT_GT(duel.recvs(1).size(), 1u) << "the ACK of one is not valid for the other";
}

TEST(GtudpResend, a_recv_or_ack_from_another_address_has_no_effect) {
    gtudp::Options options = small_options(1);
    options.resending.fixed_interval = second;
    Duel duel(options);
    const auto id = duel.send(Duel::probe_at(0), "for socket 0");
    duel.send_frame(10 * millisecond, Kind::recv, id.identity, "", 1);
    duel.send_frame(0, Kind::data, 77, "long enough to be answered several times", 0);
    duel.send_frame(15 * millisecond, Kind::ack, 77, "", 1);
    EXPECT_EQ(duel.network.run_until(3'100 * millisecond), Outcome::at_end);
    EXPECT_TRUE(duel.ends.empty());
    EXPECT_EQ(duel.datas(0).size(), 4u);
    EXPECT_EQ(duel.recvs(0).size(), 4u);
    duel.send_frame(duel.network.now(), Kind::recv, id.identity, "", 0);
    duel.send_frame(duel.network.now(), Kind::ack, 77, "", 0);
    EXPECT_EQ(duel.network.run_until(10 * second), Outcome::at_end);
    ASSERT_EQ(duel.ends.size(), 1u);
    EXPECT_EQ(duel.ends[0].event.outcome, gtudp::Outcome::confirmed);
    EXPECT_EQ(duel.datas(0).size(), 4u);
    EXPECT_EQ(duel.recvs(0).size(), 4u);
    const gtudp::Counters counts = duel.endpoint.counters();
    EXPECT_EQ(counts.recv_unknown, 1u);
    EXPECT_EQ(counts.ack_unknown, 1u);
}

}  // namespace
}  // namespace ringpost::sim
