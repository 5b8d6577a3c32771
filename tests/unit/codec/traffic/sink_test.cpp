#include "codec/traffic/sink.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

const Address peer = Address::v4(10, 0, 0, 1, 4'000);

class SinkTest : public testing::Test {
  protected:
    static Bytes frame(std::uint32_t stream, std::uint64_t sequence) {
        static const FrameWriter writer(64);
        Bytes out(64);
        writer.prepare(out, 1);
        writer.write(out.data(), {stream, sequence, 0}, 1);
        return out;
    }
    void receive(const Bytes& bytes, const Address& source = peer) { sink.handle(++now, {source, 0, bytes}); }
    void receive(std::uint32_t stream, std::initializer_list<std::uint64_t> sequences) {
        for (const std::uint64_t sequence : sequences) receive(frame(stream, sequence));
    }
    // `tail` of the `sent` datagrams were lost after the last one received.
    void expect_identity(std::uint64_t sent, std::uint64_t tail) const {
        const SinkCounters counts = sink.counters();
        EXPECT_EQ(sent, counts.received - counts.duplicate - counts.corrupt + counts.lost + counts.before_start + tail);
    }

    Sink sink{{.key = SipKey{1, 2}}};
    Instant now = 0;
};

TEST_F(SinkTest, nothing_received) {
    const SinkCounters counts = sink.counters();
    EXPECT_EQ(counts.received, 0u);
    EXPECT_EQ(counts.first_at, never);
    EXPECT_EQ(counts.last_at, never);
    std::byte out[64];
    EXPECT_FALSE(sink.poll_transmit(0, out));
    EXPECT_FALSE(sink.poll_timeout());
    EXPECT_FALSE(sink.poll_event());
}

TEST_F(SinkTest, all_in_order) {
    receive(7, {0, 1, 2, 3});
    const SinkCounters counts = sink.counters();
    EXPECT_EQ(counts.received, 4u);
    EXPECT_EQ(counts.bytes, 4 * 64u);
    EXPECT_EQ(counts.lost + counts.duplicate + counts.reordered + counts.corrupt, 0u);
    EXPECT_EQ(counts.streams, 1u);
    EXPECT_EQ(counts.first_at, 1);
    EXPECT_EQ(counts.last_at, 4);
    expect_identity(4, 0);
}

TEST_F(SinkTest, losses_at_the_start_in_the_middle_and_at_the_end) {
    receive(7, {2, 3, 6});
    EXPECT_EQ(sink.counters().lost, 4u);
    expect_identity(9, 2);
}

TEST_F(SinkTest, a_late_datagram_is_no_longer_lost) {
    receive(7, {0, 3, 1, 2});
    EXPECT_EQ(sink.counters().lost, 0u);
    EXPECT_EQ(sink.counters().reordered, 2u);
    expect_identity(4, 0);
}

TEST_F(SinkTest, duplicates_late_or_early) {
    receive(7, {0, 0, 2, 1, 1, 2});
    EXPECT_EQ(sink.counters().duplicate, 3u);
    EXPECT_EQ(sink.counters().reordered, 1u);
    expect_identity(3, 0);
}

TEST_F(SinkTest, a_corrupt_datagram_counts_as_corrupt_and_its_sequence_as_lost) {
    receive(7, {0});
    Bytes bad = frame(7, 1);
    bad[63] ^= std::byte{1};
    receive(bad);
    receive(7, {2});
    receive(Bytes{});
    receive(Bytes(23));
    EXPECT_EQ(sink.counters().corrupt, 3u);
    EXPECT_EQ(sink.counters().lost, 1u);
    expect_identity(3, 0);
}

TEST_F(SinkTest, a_datagram_too_old_to_decide_stays_lost_and_counts_as_duplicate) {
    receive(7, {1, limits::load_window_sequences + 10, 0});
    EXPECT_EQ(sink.counters().duplicate, 1u);
    EXPECT_EQ(sink.counters().reordered, 0u);
    expect_identity(limits::load_window_sequences + 11, 0);
}

TEST_F(SinkTest, streams_are_distinguished_by_number_and_source_address) {
    const Address others[] = {Address::v4(10, 0, 0, 1, 4'001), Address::v4(10, 0, 0, 2, 4'000)};
    for (std::uint64_t sequence = 0; sequence < 3; ++sequence) {
        receive(frame(1, sequence));
        receive(frame(2, sequence));
        for (const Address& other : others) receive(frame(1, sequence), other);
    }
    const SinkCounters counts = sink.counters();
    EXPECT_EQ(counts.streams, 4u);
    EXPECT_EQ(counts.lost + counts.duplicate + counts.reordered, 0u);
}

TEST_F(SinkTest, the_least_recently_received_stream_is_evicted_when_the_table_is_full) {
    for (std::uint32_t stream = 0; stream < limits::load_streams_max; ++stream) receive(frame(stream, 0));
    receive(0, {1});  // stream 1 is the oldest now
    EXPECT_EQ(sink.counters().streams_forgotten, 0u);
    receive(limits::load_streams_max, {0});
    EXPECT_EQ(sink.counters().streams_forgotten, 1u);
    EXPECT_EQ(sink.counters().lost, 0u);
    receive(0, {1});
    EXPECT_EQ(sink.counters().duplicate, 1u) << "stream 0 is still known";
    receive(1, {1'000});
    EXPECT_EQ(sink.counters().lost, 0u) << "stream 1 starts over, so nothing before counts as lost";
    receive(1, {1'002});
    EXPECT_EQ(sink.counters().lost, 1u);
    EXPECT_EQ(sink.counters().streams, limits::load_streams_max + 2u);
    EXPECT_EQ(sink.counters().streams_forgotten, 2u);
}

TEST_F(SinkTest, a_stream_joined_in_the_middle_has_no_earlier_losses) {
    const std::uint64_t first = limits::load_window_sequences;
    receive(1, {first, first + 2});
    EXPECT_EQ(sink.counters().lost, 1u);
    EXPECT_EQ(sink.counters().before_start, first);
    receive(1, {first + 1, first - 1});
    EXPECT_EQ(sink.counters().lost, 0u);
    EXPECT_EQ(sink.counters().reordered, 1u);
    EXPECT_EQ(sink.counters().duplicate, 1u) << "before its start, so it cannot be distinguished from a duplicate";
}

TEST_F(SinkTest, beyond_the_wide_windows_a_stream_has_a_narrow_one) {
    constexpr std::uint32_t wide = 5, narrow = limits::load_wide_windows + 5;
    for (std::uint32_t stream = 0; stream <= narrow; ++stream) receive(stream, {0});
    for (const std::uint32_t stream : {wide, narrow}) receive(stream, {limits::load_narrow_window_sequences + 10, 1});
    EXPECT_EQ(sink.counters().reordered, 1u) << "of the wide one";
    EXPECT_EQ(sink.counters().duplicate, 1u) << "too old to decide";
}

TEST_F(SinkTest, a_train_counts_as_its_datagrams) {
    Random random(8);
    Sink by_one({.key = SipKey{1, 2}, .one_way = 0, .listening_since = 500});
    for (Sink* by_train : {&sink, &by_one}) {
        Sink reference(by_train == &sink ? SinkOptions{.key = SipKey{1, 2}}
                                         : SinkOptions{.key = SipKey{1, 2}, .one_way = 0, .listening_since = 500});
        std::uint64_t sequences[2] = {0, 70};
        for (int round = 0; round < 2'000; ++round) {
            const std::size_t size = round % 50 == 0 ? 80 : 64, stream = random() % 2;
            const FrameWriter writer(size);
            Bytes train(size * (1 + random() % 40));
            writer.prepare(train, train.size() / size);
            std::uint64_t& sequence = sequences[stream];
            sequence += random() % 10 == 0 ? random() % 5 : 0;                       // lost
            sequence -= random() % 10 == 0 ? std::min(sequence, random() % 60) : 0;  // late, or again
            for (std::size_t at = 0; at < train.size(); at += size) {
                sequence += random() % 100 == 0 ? random() % 3 : 0;
                writer.write(&train[at], {static_cast<std::uint32_t>(stream), sequence++, round * 1'000}, 1);
            }
            if (random() % 4 == 0) train[random() % train.size()] ^= std::byte{1};
            if (random() % 4 == 0) train.resize(train.size() - random() % size);
            const Datagram whole{peer, 0, train};
            by_train->handle_train(1'000 + round * 1'000, whole, size);
            for (std::size_t at = 0; at < train.size(); at += size)
                reference.handle(1'000 + round * 1'000,
                                 {peer, 0, std::span(train).subspan(at, std::min(size, train.size() - at))});
            for (const auto& row : SinkCounters::table())
                ASSERT_EQ(by_train->counters().*row.member, reference.counters().*row.member)
                    << row.name << ", round " << round;
        }
        EXPECT_EQ(by_train->counters().at_first, reference.counters().at_first);
        EXPECT_EQ(by_train->one_way().count(), reference.one_way().count());
        EXPECT_GT(reference.counters().corrupt, 100u);
        EXPECT_GT(reference.counters().reordered, 100u);
    }
}

TEST_F(SinkTest, a_train_of_one_and_an_empty_one) {
    sink.handle_train(1, {peer, 0, frame(7, 0)}, 64);
    sink.handle_train(2, {peer, 0, {}}, 0);
    EXPECT_EQ(sink.counters().received, 2u);
    EXPECT_EQ(sink.counters().corrupt, 1u);
}

TEST_F(SinkTest, without_verification_a_train_is_only_counted) {
    Sink counting({.verify = false});
    counting.handle_train(5, {peer, 0, Bytes(250)}, 100);
    EXPECT_EQ(counting.counters().received, 3u);
    EXPECT_EQ(counting.counters().bytes, 250u);
    EXPECT_EQ(counting.counters().at_first, 3u);
    EXPECT_EQ(counting.counters().corrupt, 0u);
}

TEST_F(SinkTest, take_returns_whether_the_frame_is_valid_and_new) {
    EXPECT_TRUE(sink.take(1, {peer, 0, frame(7, 0)}));
    EXPECT_TRUE(sink.take(1, {peer, 0, frame(7, 2)}));
    EXPECT_TRUE(sink.take(1, {peer, 0, frame(7, 1)})) << "late, but new";
    EXPECT_FALSE(sink.take(1, {peer, 0, frame(7, 1)}));
    EXPECT_FALSE(sink.take(1, {peer, 0, Bytes(64)}));
}

TEST_F(SinkTest, without_one_way_no_times_are_recorded) {
    receive(7, {0, 1, 2});
    EXPECT_EQ(sink.one_way().count(), 0u);
    EXPECT_EQ(sink.one_way_counts().clock_apart, 0u);
}

// Streams of a sender with another clock, one datagram a millisecond, and a sink that listens since `since`.
class RestartTest : public SinkTest {
  protected:
    static constexpr Instant since = 100 * second;
    static constexpr Duration clocks_apart = -7 * 60 * second;

    static Bytes frame_due(std::uint64_t sequence, Instant due) {
        const FrameWriter writer(24);
        Bytes bytes(24);
        writer.write(bytes.data(), {7, sequence, due}, 1);
        return bytes;
    }
    // `sequence` of a stream that began at `began`, received `late` after it was due.
    void receive_at(Instant began, std::uint64_t sequence, Duration late = 50 * microsecond) {
        const Instant due = began + static_cast<Instant>(sequence) * millisecond;
        restarted.handle(due + late, {peer, 0, frame_due(sequence, due + clocks_apart)});
    }
    void expect_missing(std::uint64_t lost, std::uint64_t before_start) const {
        EXPECT_EQ(restarted.counters().lost, lost);
        EXPECT_EQ(restarted.counters().before_start, before_start);
    }

    Sink restarted{{.key = {1, 2}, .listening_since = since}};
};

TEST_F(RestartTest, what_was_sent_before_the_start_is_not_lost) {
    const Instant began = since - 160 * millisecond;
    for (const std::uint64_t sequence : {160, 161, 163}) receive_at(began, sequence);
    expect_missing(1, 160);
    receive_at(began, 162);
    expect_missing(0, 160);
    EXPECT_EQ(restarted.counters().reordered, 1u);
}

TEST_F(RestartTest, losses_at_the_start_of_a_stream_that_begins_while_it_listens_count) {
    receive_at(since + millisecond, 3);
    expect_missing(3, 0);
    receive_at(since + millisecond, 4);
    expect_missing(3, 0);
    receive_at(since + millisecond, 1);
    expect_missing(2, 0);
    EXPECT_EQ(restarted.counters().reordered, 1u);
}

TEST_F(RestartTest, so_do_more_losses_than_its_window_holds) {
    constexpr std::uint64_t many = limits::load_window_sequences + 10;
    receive_at(since + millisecond, many);
    expect_missing(many, 0);
    receive_at(since + millisecond, many + 1);
    expect_missing(many, 0);
    const Instant long_before = since - static_cast<Duration>(many / 2) * millisecond;
    Sink older{{.key = {1, 2}, .listening_since = since}};
    older.handle(since + 1, {peer, 0, frame_due(many, long_before + static_cast<Duration>(many) * millisecond)});
    older.handle(since + 2,
                 {peer, 0, frame_due(many + 1, long_before + static_cast<Duration>(many + 1) * millisecond)});
    EXPECT_EQ(older.counters().before_start, many);
    EXPECT_EQ(older.counters().lost, 0u);
}

TEST_F(RestartTest, reordering_at_the_join_is_not_loss) {
    const Instant began = since - 10 * millisecond;
    for (const std::uint64_t sequence : {13, 11, 14, 12, 10, 15}) receive_at(began, sequence);
    expect_missing(0, 10);
    EXPECT_EQ(restarted.counters().reordered, 3u);
    EXPECT_EQ(restarted.counters().duplicate, 0u);
}

TEST_F(RestartTest, a_late_read_of_the_first_datagrams_does_not_make_the_stream_younger) {
    const Instant began = since - 160 * millisecond;
    for (std::uint64_t sequence = 161; sequence < 400; ++sequence)  // read together, then on time
        receive_at(began, sequence, sequence < 361 ? static_cast<Duration>(361 - sequence) * millisecond : 0);
    expect_missing(0, 161);
}

TEST_F(RestartTest, the_first_of_a_new_stream_is_lost_even_if_it_is_read_late) {
    for (std::uint64_t sequence = 5; sequence < 400; ++sequence)
        receive_at(since + millisecond, sequence,
                   sequence < 200 ? static_cast<Duration>(200 - sequence) * millisecond : 0);
    expect_missing(5, 0);
}

TEST_F(RestartTest, bursts_and_streams_of_one_datagram) {
    receive_at(since - 10 * second, 10'000);
    EXPECT_EQ(restarted.counters().lost, 10'000u) << "one datagram has no interval";
    const Instant due = since + 40 * millisecond + clocks_apart;
    for (std::uint64_t sequence = 10'001; sequence < 30'000; ++sequence)  // ten at once, every ten milliseconds
        restarted.handle(since + 41 * millisecond,
                         {peer, 0, frame_due(sequence, due + static_cast<Instant>(sequence / 10) * 10 * millisecond)});
    expect_missing(0, 10'000);
}

TEST_F(RestartTest, times_that_make_no_sense_change_only_their_own_stream) {
    for (const Instant due : {INT64_MIN, INT64_MAX, Instant{0}}) {
        Sink odd({.key = {1, 2}, .listening_since = since});
        odd.handle(since + 1, {peer, 0, frame_due(9, INT64_MIN)});
        odd.handle(since + 2, {peer, 0, frame_due(11, due)});
        odd.handle(since + 3, {peer, 0, frame_due(12, INT64_MAX)});
        EXPECT_EQ(odd.counters().lost + odd.counters().before_start, 10u);
    }
}

class OneWayTest : public SinkTest {
  protected:
    static constexpr Duration offset = 1'700'000'000 * second;

    void receive_due(std::uint64_t sequence, Instant due, Instant at) {
        const FrameWriter writer(24);
        Bytes bytes(24);
        writer.write(bytes.data(), {7, sequence, due}, 1);
        timing.handle(at, {peer, 0, bytes});
    }

    Sink timing{{.key = {1, 2}, .one_way = offset}};
};

TEST_F(OneWayTest, from_the_due_time_to_the_first_arrival_by_the_senders_clock) {
    receive_due(0, offset + 100, 350);
    receive_due(1, offset + 200, 300);
    receive_due(1, offset + 200, 900);  // a duplicate
    EXPECT_EQ(timing.one_way().count(), 2u);
    EXPECT_EQ(timing.one_way().min(), 100);
    EXPECT_EQ(timing.one_way().max(), 250);
    EXPECT_EQ(timing.one_way_counts().before_sent, 0u);
}

TEST_F(OneWayTest, arrivals_before_the_due_time_count_as_zero) {
    receive_due(0, offset + 500, 400);
    receive_due(1, offset + 500, 470);
    receive_due(2, offset + 500, 500);
    EXPECT_EQ(timing.one_way().count(), 3u);
    EXPECT_EQ(timing.one_way().max(), 0);
    EXPECT_EQ(timing.one_way_counts().before_sent, 2u);
    EXPECT_EQ(timing.one_way_counts().before_sent_max, 100);
}

TEST_F(OneWayTest, clocks_more_than_a_minute_apart_are_only_counted) {
    constexpr Duration most = Histogram::trackable_ns_max;
    receive_due(0, offset, most);
    receive_due(1, offset + most, 0);
    EXPECT_EQ(timing.one_way().count(), 2u);
    EXPECT_EQ(timing.one_way().max(), most);
    receive_due(2, offset, most + 1);
    receive_due(3, offset + most + 1, 0);
    receive_due(4, 5, 6);  // a sender that writes its monotonic clock
    receive_due(5, INT64_MAX, 7);
    receive_due(6, INT64_MIN, 8);
    EXPECT_EQ(timing.one_way().count(), 2u);
    EXPECT_EQ(timing.one_way_counts().clock_apart, 5u);
    EXPECT_EQ(timing.one_way_counts().before_sent, 1u);
    EXPECT_EQ(timing.counters().received, 7u) << "they are verified as usual";
    EXPECT_EQ(timing.counters().corrupt, 0u);
}

TEST_F(SinkTest, without_verification_it_only_counts) {
    Sink blind({.verify = false, .key = {}});
    blind.handle(5, {peer, 0, Bytes(10)});
    blind.handle(6, {peer, 0, Bytes{}});
    const SinkCounters counts = blind.counters();
    EXPECT_EQ(counts.received, 2u);
    EXPECT_EQ(counts.bytes, 10u);
    EXPECT_EQ(counts.corrupt + counts.lost + counts.streams, 0u);
    EXPECT_EQ(counts.first_at, 5);
    EXPECT_EQ(counts.last_at, 6);
}

}  // namespace
}  // namespace ringpost::traffic
