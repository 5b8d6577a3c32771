#include "codec/traffic/source.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant source_start = 1'000'000;

// Everything sent at `now`, datagram by datagram.
std::vector<Frame> frames_of(const std::vector<Sent>& sent) {
    std::vector<Frame> out;
    for (const Sent& train : sent)
        for (const Bytes& datagram : train.datagrams()) {
            const auto frame = decode(datagram);
            EXPECT_TRUE(frame);
            if (frame) out.push_back(*frame);
        }
    return out;
}

TEST(Source, fixed_rate_sends_exactly_what_is_due) {
    Source source({.rate_per_s = 1e6, .start = source_start, .count = 10});
    Outbox outbox;
    EXPECT_EQ(source.poll_timeout(), source_start);
    EXPECT_TRUE(outbox.drain(source, source_start - 1).empty());

    const auto at_start = frames_of(outbox.drain(source, source_start));
    ASSERT_EQ(at_start.size(), 1u);
    EXPECT_EQ(at_start[0].due, source_start);
    EXPECT_EQ(source.poll_timeout(), source_start + 1'000);
    EXPECT_TRUE(outbox.drain(source, source_start + 999).empty());

    // Number i is due at source_start + i us, whatever has happened: a driver that is 3.5 us late catches up, with the
    // original due times.
    const auto caught_up = frames_of(outbox.drain(source, source_start + 4'500));
    ASSERT_EQ(caught_up.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(caught_up[i].due, source_start + 1'000 * static_cast<Instant>(i + 1));
        EXPECT_EQ(caught_up[i].sequence, i + 1);
    }
    EXPECT_EQ(source.poll_timeout(), source_start + 5'000);
    EXPECT_FALSE(source.finished(source_start + 4'500));

    EXPECT_EQ(frames_of(outbox.drain(source, source_start + second)).size(), 5u) << "and no more than count";
    EXPECT_EQ(source.sent(), 10u);
    EXPECT_FALSE(source.poll_timeout());
    EXPECT_TRUE(source.finished(source_start + second));
}

TEST(Source, a_stopped_source_knows_what_it_has_not_sent) {
    Source source({.rate_per_s = 1e6, .start = source_start, .stop = source_start + second});
    Outbox outbox;
    EXPECT_EQ(frames_of(outbox.drain(source, source_start + 1'500)).size(), 2u);
    source.stop(source_start + 4'000);
    source.stop(source_start + 9'000);  // a later stop changes nothing
    EXPECT_FALSE(source.finished(source_start + 3'999));
    EXPECT_EQ(source.unsent(), 2u);
    EXPECT_EQ(frames_of(outbox.drain(source, source_start + 5'000)).size(), 2u)
        << "overdue ones are sent shortly after";
    EXPECT_TRUE(source.finished(source_start + 5'000));
    EXPECT_EQ(source.unsent(), 0u);
}

TEST(Source, datagrams_due_during_a_stall_over_the_end_are_unsent) {
    Source source({.rate_per_s = 100, .start = source_start, .stop = source_start + second / 5});
    Outbox outbox;
    EXPECT_TRUE(outbox.drain(source, source_start + second).empty());
    EXPECT_TRUE(source.finished(source_start + second));
    EXPECT_EQ(source.unsent(), 20u);
}

TEST(Source, fractional_periods_do_not_drift) {
    Source source({.rate_per_s = 3, .train_segments = 128, .start = source_start});
    Outbox outbox;
    for (std::int64_t s = 1; s < 100; ++s) {
        const Instant whole = source_start + s * second;
        EXPECT_EQ(frames_of(outbox.drain(source, whole - 2)).size(), 3u);
        EXPECT_NEAR(static_cast<double>(*source.poll_timeout() - whole), 0, 1);
    }
}

TEST(Source, slip_is_the_delay_of_each_datagram) {
    Source source({.rate_per_s = 1e6, .train_segments = 2, .start = source_start, .count = 6});
    Outbox outbox;
    outbox.drain(source, source_start);
    EXPECT_EQ(source.slip().count(), 1u);
    EXPECT_EQ(source.slip().max(), 0);
    outbox.drain(source, source_start + 5'000);
    EXPECT_EQ(source.slip().count(), 6u);
    EXPECT_EQ(source.slip().max(), 4'000);
    EXPECT_DOUBLE_EQ(source.slip().mean(), (0 + 4'000 + 3'000 + 2'000 + 1'000 + 0) / 6.0);
}

TEST(Source, nothing_due_at_or_after_stop_is_sent) {
    Source source({.rate_per_s = 1e6, .start = source_start, .stop = source_start + 3'000});
    Outbox outbox;
    for (const Instant at : {source_start, source_start + 1'000, source_start + 2'000}) {
        EXPECT_EQ(source.poll_timeout(), at);
        EXPECT_EQ(outbox.drain(source, at).size(), 1u);
    }
    EXPECT_FALSE(source.poll_timeout());
    EXPECT_FALSE(source.finished(source_start + 2'999));
    EXPECT_TRUE(source.finished(source_start + 3'000));
    EXPECT_TRUE(outbox.drain(source, source_start + 3'000).empty());
    EXPECT_EQ(source.sent(), 3u);
}

// Otherwise a late driver would be woken for ever for datagrams that may no longer be sent.
TEST(Source, has_no_timeout_after_stop) {
    for (const double rate : {0.0, 1e6}) {
        Source source({.rate_per_s = rate, .start = source_start, .stop = source_start + 3'000});
        Outbox outbox;
        ASSERT_EQ(source.poll_timeout(), source_start);
        source.handle_timeout(source_start + 2 * millisecond);
        EXPECT_TRUE(outbox.drain(source, source_start + 2 * millisecond).empty());
        EXPECT_FALSE(source.poll_timeout());
    }
}

TEST(Source, unlimited_rate_always_has_a_full_train) {
    Source source({.sizes = Sizes::fixed(100), .train_segments = 16, .start = source_start, .count = 40});
    Outbox outbox;
    EXPECT_FALSE(outbox.poll(source, source_start - 1));
    EXPECT_EQ(source.poll_timeout(), source_start);
    std::vector<std::size_t> bytes;
    for (const Sent& sent : outbox.drain(source, source_start + 7)) {
        bytes.push_back(sent.transmit.bytes);
        for (const Frame& frame : frames_of({sent})) EXPECT_EQ(frame.due, source_start + 7);
    }
    EXPECT_EQ(bytes, (std::vector<std::size_t>{1'600, 1'600, 800}));
    EXPECT_TRUE(source.finished(source_start + 7));
    EXPECT_EQ(source.slip().count(), 0u) << "without due times there is no delay";
}

TEST(Source, trains_have_equal_segments_within_the_limits) {
    for (const std::size_t size : {24, 64, 511, 512, 1'400, 9'000, 32'753, 32'754, 65'507})
        for (const std::size_t asked : {1, 2, 64, 128, 1'000}) {
            SCOPED_TRACE(testing::Message() << size << " bytes, trains of " << asked);
            Source source({.sizes = Sizes::fixed(size), .train_segments = asked, .count = 300});
            Outbox outbox;
            for (const Sent& sent : outbox.drain(source, 0)) {
                EXPECT_EQ(sent.transmit.segment_bytes, size);
                EXPECT_EQ(sent.transmit.bytes % size, 0u);
                EXPECT_LE(sent.transmit.bytes, limits::datagram_bytes_max);
                EXPECT_LE(sent.transmit.bytes / size, std::min(asked, limits::train_segments_max));
                frames_of({sent});
            }
            EXPECT_EQ(source.sent(), 300u);
        }
}

TEST(Source, flows_take_turns_each_with_its_own_stream_and_sequence) {
    constexpr std::uint32_t flows = 5, stream = 0xfffffffe;  // the stream numbers wrap
    Source source({.flows = flows,
                   .stream = stream,
                   .rate_per_s = 1e6,
                   .train_segments = 8,
                   .start = source_start,
                   .count = 1'000});
    Outbox outbox;
    Random random(8);
    std::map<std::uint32_t, std::uint64_t> next;
    std::uint32_t turn = 0;
    for (Instant now = source_start; !source.finished(now); now += static_cast<Instant>(random() % 20'000))
        for (const Sent& sent : outbox.drain(source, now)) {
            EXPECT_EQ(sent.transmit.socket, turn++ % flows);
            EXPECT_EQ(sent.transmit.destination.family, Family::none);
            for (const Frame& frame : frames_of({sent})) {
                EXPECT_EQ(frame.stream, static_cast<std::uint32_t>(stream + sent.transmit.socket));
                EXPECT_EQ(frame.sequence, next[sent.transmit.socket]++);
            }
        }
    std::uint64_t total = 0;
    for (const auto& [flow, sent] : next) total += sent;
    EXPECT_EQ(total, 1'000u);
    EXPECT_EQ(next.size(), flows);
}

TEST(Source, frames_are_complete_in_every_buffer) {
    Source source({.sizes = Sizes::fixed(200), .train_segments = 4, .count = 400});
    // More buffers than the source keeps track of.
    std::vector<Bytes> buffers(limits::transmit_buffers_max + 6, Bytes(limits::datagram_bytes_max));
    std::uint64_t sequence = 0;
    for (std::size_t i = 0;; ++i) {
        Bytes& buffer = buffers[i * 7 % buffers.size()];
        const auto transmit = source.poll_transmit(0, buffer);
        if (!transmit) break;
        for (std::size_t at = 0; at < transmit->bytes; at += 200) {
            const auto frame = decode(std::span(buffer).subspan(at, 200));
            ASSERT_TRUE(frame);
            EXPECT_EQ(frame->sequence, sequence++);
        }
    }
    EXPECT_EQ(sequence, 400u);
}

TEST(Source, without_verification_datagrams_may_have_any_size) {
    Source source({.sizes = Sizes::fixed(1), .train_segments = 128, .verify = false, .count = 200});
    Outbox outbox;
    const auto sent = outbox.drain(source, 0);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].transmit.bytes, 128u);
    EXPECT_EQ(sent[1].transmit.bytes, 72u);
}

TEST(Source, mixed_sizes_are_sent_one_by_one_as_drawn) {
    const Sizes sizes = *Sizes::weighted({{24, 3}, {25, 1}, {700, 2}, {1'472, 1}});
    for (const double rate : {0.0, 1e9}) {
        Source source({.sizes = sizes, .sizes_seed = 5, .rate_per_s = rate, .train_segments = 128, .count = 500});
        Outbox outbox;
        SplitMix64 random(5);
        std::uint64_t bytes = 0, next = 0;
        for (const Sent& sent : outbox.drain(source, second)) {
            const std::size_t size = sizes.draw(random);
            EXPECT_EQ(sent.transmit.bytes, size);
            EXPECT_EQ(sent.transmit.segment_bytes, size);
            EXPECT_TRUE(
                std::ranges::equal(std::span(sent.bytes).subspan(frame_bytes_min), fill_of(size - frame_bytes_min)));
            for (const Frame& frame : frames_of({sent})) EXPECT_EQ(frame.sequence, next++);
            bytes += size;
        }
        EXPECT_EQ(next, 500u);
        EXPECT_EQ(source.bytes_sent(), bytes);
    }
}

TEST(Source, without_verification_mixed_sizes_may_be_short) {
    Source source({.sizes = *Sizes::range(1, 30), .train_segments = 8, .verify = false, .count = 300});
    Outbox outbox;
    std::size_t shortest = 1'000;
    for (const Sent& sent : outbox.drain(source, 0)) shortest = std::min(shortest, sent.bytes.size());
    EXPECT_EQ(shortest, 1u);
    EXPECT_EQ(source.sent(), 300u);
}

TEST(Source, due_times_are_written_with_the_configured_offset) {
    for (const double rate : {0.0, 1e6})
        for (const Sizes& sizes : {Sizes::fixed(64), *Sizes::range(24, 99)}) {
            Source source(
                {.sizes = sizes, .rate_per_s = rate, .due_offset = 7 * second, .start = source_start, .count = 3});
            Outbox outbox;
            std::vector<Frame> frames;
            for (const Instant now : {source_start, source_start + 1'000, source_start + 2'000})
                for (const Frame& frame : frames_of(outbox.drain(source, now))) frames.push_back(frame);
            ASSERT_EQ(frames.size(), 3u);
            for (std::size_t i = 0; i < 3; ++i)
                EXPECT_EQ(frames[i].due, source_start + 7 * second + (rate > 0 ? 1'000 * static_cast<Instant>(i) : 0));
            EXPECT_EQ(source.slip().max(), 0) << "the delay is measured with the local clock";
        }
}

TEST(Source, bytes_sent) {
    Source source({.sizes = Sizes::fixed(100), .train_segments = 16, .count = 40});
    Outbox outbox;
    outbox.drain(source, 0);
    EXPECT_EQ(source.bytes_sent(), 4'000u);
}

TEST(Source, counts_received_datagrams) {
    Source source({.count = 1});
    source.handle(0, {});
    EXPECT_EQ(source.unexpected(), 1u);
}

}  // namespace
}  // namespace ringpost::traffic
