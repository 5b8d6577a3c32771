// Trains of a source with payloads, datagram by datagram compared with Payload::write().

#include "codec/traffic/payload_train.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "codec/traffic/source.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant train_start = 1'000'000;
constexpr std::uint64_t train_seed = 7;

Payload payload_of(const std::vector<std::string>& texts) {
    Payload payload;
    for (const std::string& text : texts) EXPECT_TRUE(payload.add_text(text)) << text;
    return payload;
}

SourceOptions sending(const Payload& payload, std::uint64_t count) {
    return {.train_segments = 16,
            .verify = false,
            .payload = &payload,
            .unix_offset = 1'700'000'000 * second,
            .payload_seed = train_seed,
            .start = train_start,
            .count = count};
}

Bytes expected(const Payload& payload, std::uint64_t sequence, std::uint64_t in_flow, Instant due) {
    Bytes out(payload.bytes_max());
    out.resize(payload.write(out, {.sequence = sequence,
                                   .in_flow = in_flow,
                                   .due = due,
                                   .unix_offset = 1'700'000'000 * second,
                                   .seed = train_seed}));
    return out;
}

/// Sends as fast as possible, checks every datagram, and returns the sizes of the trains.
std::vector<std::size_t> trains_of(const Payload& payload, std::uint64_t count) {
    Source source(sending(payload, count));
    Outbox outbox;
    std::vector<std::size_t> trains;
    std::uint64_t sequence = 0, bytes = 0;
    for (const Sent& train : outbox.drain(source, train_start)) {
        const auto datagrams = train.datagrams();
        trains.push_back(datagrams.size());
        for (const Bytes& datagram : datagrams) {
            EXPECT_EQ(datagram, expected(payload, sequence, sequence, train_start)) << sequence;
            bytes += datagram.size();
            ++sequence;
        }
    }
    EXPECT_EQ(sequence, count);
    EXPECT_EQ(source.sent(), count);
    EXPECT_EQ(source.bytes_sent(), bytes);
    return trains;
}

using Trains = std::vector<std::size_t>;

TEST(PayloadTrain, one_payload_fills_trains) {
    EXPECT_EQ(trains_of(payload_of({"hello"}), 40), (Trains{16, 16, 8}));
    EXPECT_EQ(trains_of(payload_of({"{seq:u32be}{random:9}{time:rfc3339}{pick:a|b}"}), 40), (Trains{16, 16, 8}));
    EXPECT_EQ(trains_of(payload_of({std::string(30'000, 'x')}), 3), (Trains{2, 1})) << "65,507 bytes";
}

TEST(PayloadTrain, a_train_ends_where_a_number_gets_longer) {
    EXPECT_EQ(trains_of(payload_of({"n{seq}"}), 120), (Trains{10, 16, 16, 16, 16, 16, 10, 16, 4}));
    EXPECT_EQ(trains_of(payload_of({"n{seq}-{seq:hex}-{seq}"}), 12), (Trains{10, 2}));
}

TEST(PayloadTrain, payloads_of_one_size_are_sent_in_turn) {
    EXPECT_EQ(trains_of(payload_of({"abc", "def", "ghi"}), 20), (Trains{16, 4}));
    EXPECT_EQ(trains_of(payload_of({"ab{seq:u8}", "def", "{seq:u8}hi"}), 20), (Trains{16, 4}));
}

TEST(PayloadTrain, only_the_last_of_a_train_is_smaller) {
    EXPECT_EQ(trains_of(payload_of({"abc", "abc", "a", "abcd"}), 8), (Trains{3, 2, 2, 1}));
    EXPECT_EQ(trains_of(payload_of({std::string(40'000, 'x'), std::string(30'000, 'x')}), 4), (Trains{1, 1, 1, 1}));
    const Payload varying = payload_of({"{pick:a|bcd}{random:2}", "xy{seq}"});
    std::size_t sum = 0;
    for (const std::size_t train : trains_of(varying, 500)) sum += train;
    EXPECT_EQ(sum, 500u);
}

TEST(PayloadTrain, at_a_rate_each_datagram_has_its_own_due_time) {
    const Payload payload =
        payload_of({"{time:u64be}{seq}{time:rfc3339}{seq:hex}{time:unix}{random:3}{pick:a|b}{seq:u16le}"});
    SourceOptions options = sending(payload, 30);
    options.rate_per_s = 1e6;
    options.flows = 2;
    Source source(options);
    Outbox outbox;
    std::uint64_t sequence = 0, in_flow[2] = {};
    for (Instant now = train_start; now <= train_start + 30'000; now += 7'500)
        for (const Sent& train : outbox.drain(source, now))
            for (const Bytes& datagram : train.datagrams()) {
                const Instant due = train_start + static_cast<Instant>(sequence) * 1'000;
                EXPECT_EQ(datagram, expected(payload, sequence, in_flow[train.transmit.socket]++, due)) << sequence;
                ++sequence;
            }
    EXPECT_EQ(sequence, 30u);
    EXPECT_GT(in_flow[1], 0u);
}

TEST(PayloadTrain, engines_begin_at_different_payloads) {
    const Payload payload = payload_of({"a", "b", "c"});
    SourceOptions options = sending(payload, 2);
    options.payload_first = 2;
    Source source(options);
    Outbox outbox;
    const auto sent = outbox.drain(source, train_start);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes, bytes_of("ca"));
}

}  // namespace
}  // namespace ringpost::traffic
