#include "codec/traffic/sender_table.hpp"

#include <gtest/gtest.h>

#include <map>

#include "codec/base/limits.hpp"
#include "codec/base/split_mix.hpp"
#include "codec/traffic/sink.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

Address sender(std::uint32_t number) {
    return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number), 4'000);
}

Bytes frame_of(std::uint32_t stream, std::uint64_t sequence) {
    Bytes out(frame_bytes_min);
    encode({stream, sequence, 0}, out);
    return out;
}

SenderCounters sum_of(Sink& sink) {
    SenderCounters sum = sink.sender_table().others();
    for (const auto& [source, row] : sink.senders()) sum.add(row.counts);
    return sum;
}

void expect_totals(Sink& sink) {
    const SenderCounters sum = sum_of(sink);
    const SinkCounters totals = sink.counters();
    EXPECT_EQ(sum.received, totals.received);
    EXPECT_EQ(sum.bytes, totals.bytes);
    EXPECT_EQ(sum.lost, totals.lost);
    EXPECT_EQ(sum.duplicate, totals.duplicate);
    EXPECT_EQ(sum.reordered, totals.reordered);
    EXPECT_EQ(sum.corrupt, totals.corrupt);
}

TEST(SenderTable, counts_belong_to_their_sender) {
    Sink sink({.key = SipKey{1, 2}});
    EXPECT_TRUE(sink.senders().empty());
    Instant now = 0;
    const auto receive = [&](std::uint32_t from, const Bytes& bytes) { sink.handle(++now, {sender(from), 0, bytes}); };
    receive(1, frame_of(7, 0));
    receive(2, frame_of(7, 0));
    receive(2, frame_of(7, 0));
    receive(1, frame_of(7, 4));
    receive(1, frame_of(7, 2));
    receive(3, Bytes(30));
    std::map<std::string, SenderRow> rows;
    for (const auto& [source, row] : sink.senders()) rows[std::to_string(source.ip[15])] = row;
    EXPECT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows["1"].counts.received, 3u);
    EXPECT_EQ(rows["1"].counts.lost, 2u);
    EXPECT_EQ(rows["1"].counts.reordered, 1u);
    EXPECT_EQ(rows["1"].first_at, 1);
    EXPECT_EQ(rows["1"].last_at, 5);
    EXPECT_EQ(rows["2"].counts.duplicate, 1u);
    EXPECT_EQ(rows["2"].last_at, 3);
    EXPECT_EQ(rows["3"].counts.corrupt, 1u);
    EXPECT_EQ(rows["3"].counts.bytes, 30u);
    expect_totals(sink);
}

TEST(SenderTable, a_sender_beyond_the_limit_evicts_the_least_recent_row_but_no_counts) {
    Sink sink({.key = SipKey{1, 2}});
    SplitMix64 random(3);
    for (std::uint32_t i = 0; i < 20 * limits::load_senders_max; ++i) {
        sink.handle(i, {sender(0), 0, frame_of(1, i)});
        const auto from = static_cast<std::uint32_t>(1 + random.next() % (2 * limits::load_senders_max));
        sink.handle(i, {sender(from), 0, frame_of(from, random.next() % 64)});
    }
    expect_totals(sink);
    const auto rows = sink.senders();
    EXPECT_EQ(rows.size(), limits::load_senders_max);
    EXPECT_GT(sink.sender_table().evictions(), 0u);
    const auto steady = std::ranges::find(rows, sender(0), &SenderTable::Rows::value_type::first);
    ASSERT_NE(steady, rows.end()) << "a sender that goes on keeps its row";
    EXPECT_EQ(steady->second.counts.received, 20 * limits::load_senders_max);
    EXPECT_EQ(steady->second.counts.lost, 0u);
}

TEST(SenderTable, without_verification) {
    Sink sink({.verify = false, .key = SipKey{1, 2}});
    const Bytes train(3 * 100);
    sink.handle_train(1, {sender(1), 0, train}, 100);
    sink.handle_train(2, {sender(2), 0, train}, 150);
    expect_totals(sink);
    EXPECT_EQ(sink.senders().size(), 2u);
}

}  // namespace
}  // namespace ringpost::traffic
