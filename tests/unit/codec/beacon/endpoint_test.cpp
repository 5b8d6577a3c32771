#include "codec/beacon/endpoint.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::beacon {
namespace {

constexpr Instant start = 3 * second;
const Address alice = Address::v4(10, 0, 0, 1, 4'000);
const Address bob = Address::v4(10, 0, 0, 2, 4'000);

Options listening() {
    Options options;
    options.start = start;
    options.unix_offset = 1'000 * second;
    return options;
}

Options sending(std::uint64_t rounds = UINT64_MAX) {
    Options options = listening();
    options.targets = {{alice, {1, 2, 3, 4}}, {bob, {5, 6, 7, 8}}};
    options.advertised_port = 5'005;
    options.quote = "quote";
    options.rounds = rounds;
    return options;
}

Bytes beacon(std::uint64_t unix_s, std::string_view quote = "hi") {
    Bytes out(header_bytes + quote.size());
    encode({unix_s, {9, 8, 7, 6}, 54, quote}, out);
    return out;
}

// Runs the timers. Returns the number of beacons sent.
std::size_t turn(Endpoint& endpoint, Outbox& outbox, Instant now) {
    endpoint.handle_timeout(now);
    return outbox.drain(endpoint, now).size();
}

TEST(BeaconEndpoint, a_round_sends_one_beacon_to_each_target_with_its_advertised_address) {
    Endpoint endpoint(sending());
    Outbox outbox;
    EXPECT_EQ(endpoint.poll_timeout(), start);
    EXPECT_EQ(turn(endpoint, outbox, start - 1), 0u);
    endpoint.handle_timeout(start);
    const auto sent = outbox.drain(endpoint, start);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].transmit.destination, alice);
    EXPECT_EQ(*decode(sent[0].bytes), (Frame{1'003, {1, 2, 3, 4}, 5'005, "quote"}));
    EXPECT_EQ(sent[1].transmit.destination, bob);
    EXPECT_EQ(*decode(sent[1].bytes), (Frame{1'003, {5, 6, 7, 8}, 5'005, "quote"}));
    EXPECT_EQ(sent[1].transmit.segment_bytes, sent[1].transmit.bytes);
    EXPECT_EQ(endpoint.counters().sent, 2u);
}

TEST(BeaconEndpoint, rounds_start_every_period_and_end) {
    Endpoint endpoint(sending(3));
    Outbox outbox;
    for (std::int64_t round = 0; round < 3; ++round) {
        EXPECT_FALSE(endpoint.finished());
        const Instant due = start + round * 2 * second;
        EXPECT_EQ(endpoint.poll_timeout(), due);
        EXPECT_EQ(turn(endpoint, outbox, due - 1), 0u);
        EXPECT_EQ(turn(endpoint, outbox, due), 2u);
        EXPECT_EQ(turn(endpoint, outbox, due), 0u);
    }
    EXPECT_TRUE(endpoint.finished());
    EXPECT_FALSE(endpoint.poll_timeout());
    EXPECT_EQ(turn(endpoint, outbox, start + 100 * second), 0u);
}

TEST(BeaconEndpoint, is_not_finished_while_the_last_round_is_being_sent) {
    Endpoint endpoint(sending(1));
    Outbox outbox;
    endpoint.handle_timeout(start);
    EXPECT_FALSE(endpoint.finished());
    EXPECT_TRUE(outbox.poll(endpoint, start));
    EXPECT_FALSE(endpoint.finished());
    EXPECT_TRUE(outbox.poll(endpoint, start));
    EXPECT_TRUE(endpoint.finished());
}

TEST(BeaconEndpoint, a_missed_round_is_not_repeated) {
    Endpoint endpoint(sending());
    Outbox outbox;
    // If slightly late, the next round keeps the schedule. If late by a period or more, the schedule restarts.
    EXPECT_EQ(turn(endpoint, outbox, start + 500 * millisecond), 2u);
    EXPECT_EQ(endpoint.poll_timeout(), start + 2 * second);
    EXPECT_EQ(turn(endpoint, outbox, start + 9 * second), 2u);
    EXPECT_EQ(endpoint.poll_timeout(), start + 11 * second);
    EXPECT_EQ(turn(endpoint, outbox, start + 9 * second), 0u);
    EXPECT_EQ(turn(endpoint, outbox, start + 13 * second), 2u) << "exactly a period late";
    EXPECT_EQ(endpoint.poll_timeout(), start + 15 * second);
}

TEST(BeaconEndpoint, without_targets_it_only_receives) {
    Endpoint endpoint(listening());
    Outbox outbox;
    EXPECT_FALSE(endpoint.poll_timeout());
    EXPECT_TRUE(endpoint.finished());
    EXPECT_EQ(turn(endpoint, outbox, start), 0u);
    EXPECT_FALSE(endpoint.poll_event());
}

TEST(BeaconEndpoint, reports_received_beacons) {
    Endpoint endpoint(listening());
    endpoint.handle(start + second - 1, {alice, 0, beacon(1'001, "good news")});
    const auto event = endpoint.poll_event();
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->error);
    EXPECT_EQ(event->source, alice);
    EXPECT_EQ(event->count, 1u);
    EXPECT_EQ(event->elapsed_s, 2);  // 1003.999999999 in whole seconds, minus 1001
    EXPECT_EQ(event->ipv4, (std::array<std::uint8_t, 4>{9, 8, 7, 6}));
    EXPECT_EQ(event->port, 54);
    EXPECT_EQ(event->quote, "good news");
    EXPECT_FALSE(endpoint.poll_event());
    EXPECT_EQ(endpoint.counters().received, 1u);
}

TEST(BeaconEndpoint, elapsed_time_of_any_timestamp) {
    const struct {
        std::uint64_t timestamp;
        std::optional<std::int64_t> elapsed_s;
    } table[] = {
        {1'003, 0},
        {0, 1'003},
        {1'010, -7},  // the sender's clock is ahead
        {static_cast<std::uint64_t>(INT64_MAX), 1'003 - INT64_MAX},
        {1ull << 63, INT64_MIN + 1'003},
        {(1ull << 63) + 1'003, INT64_MIN},
        {(1ull << 63) + 1'004, std::nullopt},
        {UINT64_MAX, std::nullopt},
    };
    Endpoint endpoint(listening());
    for (const auto& [timestamp, elapsed_s] : table) {
        endpoint.handle(start, {alice, 0, beacon(timestamp)});
        const auto event = endpoint.poll_event();
        ASSERT_TRUE(event);
        EXPECT_FALSE(event->error);
        EXPECT_EQ(event->elapsed_s, elapsed_s) << timestamp;
    }
}

TEST(BeaconEndpoint, the_wall_clock_may_be_stepped) {
    Endpoint endpoint(listening());
    endpoint.handle(start, {alice, 0, beacon(1'000)});
    endpoint.set_unix_offset(2'000 * second);
    endpoint.handle(start, {alice, 0, beacon(1'000)});
    EXPECT_EQ(endpoint.poll_event()->elapsed_s, 3) << "by the clock at its arrival";
    EXPECT_EQ(endpoint.poll_event()->elapsed_s, 1'003);
}

TEST(BeaconEndpoint, invalid_datagrams_are_events_and_count_for_their_source) {
    Endpoint endpoint(listening());
    Bytes flipped = beacon(1);
    flipped.back() ^= std::byte{1};
    const Bytes datagrams[] = {Bytes(17), flipped, beacon(1, "\xff"), beacon(1)};
    for (const Bytes& bytes : datagrams) endpoint.handle(start, {alice, 0, bytes});
    const std::optional<FrameError> errors[] = {FrameError::too_short, FrameError::checksum, FrameError::not_utf8, {}};
    for (std::uint64_t i = 0; i < 4; ++i) {
        const auto event = endpoint.poll_event();
        ASSERT_TRUE(event);
        EXPECT_EQ(event->error, errors[i]);
        EXPECT_EQ(event->count, i + 1);
        EXPECT_EQ(event->source, alice);
    }
    const Counters counts = endpoint.counters();
    EXPECT_EQ(counts.received, 4u);
    EXPECT_EQ(counts.too_short, 1u);
    EXPECT_EQ(counts.checksum, 1u);
    EXPECT_EQ(counts.not_utf8, 1u);
}

TEST(BeaconEndpoint, counts_by_source_address_regardless_of_the_port) {
    Endpoint endpoint(listening());
    const Address alice_elsewhere = Address::v4(10, 0, 0, 1, 9);
    const std::pair<Address, std::uint64_t> expected[] = {
        {alice, 1}, {bob, 1}, {alice_elsewhere, 2}, {alice, 3}, {bob, 2}};
    for (const auto& [source, count] : expected) endpoint.handle(start, {source, 0, beacon(1)});
    for (const auto& [source, count] : expected) {
        const auto event = endpoint.poll_event();
        ASSERT_TRUE(event);
        EXPECT_EQ(event->source, source);
        EXPECT_EQ(event->count, count);
    }
}

TEST(BeaconEndpoint, a_quote_stays_valid_until_the_next_call) {
    Endpoint endpoint(listening());
    endpoint.handle(start, {alice, 0, beacon(1, "first")});
    endpoint.handle(start, {alice, 0, beacon(1, "second")});
    const auto first = endpoint.poll_event();
    EXPECT_EQ(first->quote, "first");
    EXPECT_EQ(endpoint.poll_event()->quote, "second");
    endpoint.handle(start, {alice, 0, beacon(1, "third")});
    EXPECT_EQ(endpoint.poll_event()->quote, "third");
    EXPECT_FALSE(endpoint.poll_event());
    EXPECT_FALSE(endpoint.poll_event());
}

TEST(BeaconEndpoint, events_that_do_not_fit_are_counted) {
    Endpoint endpoint(listening());
    const std::string quote(60'000, 'q');
    std::uint64_t received = 0;
    while (endpoint.counters().events_dropped == 0) {
        endpoint.handle(start, {alice, 0, beacon(1, quote)});
        ASSERT_LE(++received, 1 + limits::beacon_queue_bytes / quote.size());
    }
    std::uint64_t events = 0;
    for (; const auto event = endpoint.poll_event(); ++events) EXPECT_EQ(event->count, events + 1);
    EXPECT_EQ(events, received - 1);
    endpoint.handle(start, {alice, 0, beacon(1)});
    EXPECT_EQ(endpoint.poll_event()->count, received + 1) << "the dropped one still counts";
    EXPECT_EQ(endpoint.counters().received, received + 1);
}

TEST(BeaconEndpoint, the_least_recently_received_source_is_evicted_when_the_table_is_full) {
    Endpoint endpoint(listening());
    const Bytes bytes = beacon(1);
    const auto receive = [&](std::uint32_t n) {
        endpoint.handle(start, {Address::v4(10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                                            static_cast<std::uint8_t>(n), 1),
                                0, bytes});
        std::uint64_t count = 0;
        while (const auto event = endpoint.poll_event()) count = event->count;
        return count;
    };
    for (std::uint32_t n = 0; n < limits::beacon_sources_max; ++n) ASSERT_EQ(receive(n), 1u);
    EXPECT_EQ(receive(0), 2u);
    EXPECT_EQ(endpoint.counters().sources_forgotten, 0u);
    EXPECT_EQ(receive(limits::beacon_sources_max), 1u);
    EXPECT_EQ(endpoint.counters().sources_forgotten, 1u);
    EXPECT_EQ(receive(0), 3u) << "received recently";
    EXPECT_EQ(receive(1), 1u) << "the oldest, evicted";
    EXPECT_EQ(endpoint.counters().sources_forgotten, 2u);
}

}  // namespace
}  // namespace ringpost::beacon
