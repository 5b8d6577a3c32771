#include "codec/traffic/answering_sink.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

const Address asker = Address::v4(10, 0, 0, 1, 4'000);
const Address other = Address::v4(10, 0, 0, 1, 4'001);

class AnsweringSinkTest : public testing::Test {
  protected:
    static Bytes frame(std::uint64_t sequence, std::size_t bytes = 64) {
        const FrameWriter writer(bytes);
        Bytes out(bytes);
        writer.prepare(out, 1);
        writer.write(out.data(), {7, sequence, 0}, 1);
        return out;
    }
    void receive(std::uint64_t sequence, std::size_t bytes = 64, const Address& source = asker, SocketIndex socket = 0,
                 Instant now = 10) {
        sink.handle(now, {source, socket, frame(sequence, bytes)});
    }
    // The datagrams of a train as frames.
    static std::vector<Frame> frames_of(const Sent& sent) {
        std::vector<Frame> out;
        for (const Bytes& datagram : sent.datagrams()) {
            const auto frame = decode(datagram);
            EXPECT_TRUE(frame);
            if (frame) out.push_back(*frame);
        }
        return out;
    }

    AnsweringSink sink{{.sink = {.key = {1, 2}}, .seed = 3, .due_offset = 1'000}};
    Outbox outbox;
};

TEST_F(AnsweringSinkTest, answers_each_frame_with_one_of_equal_size_on_the_same_socket) {
    receive(5, 200, asker, 3);
    const auto sent = outbox.poll(sink, 99);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->transmit.destination, asker);
    EXPECT_EQ(sent->transmit.socket, 3u);
    EXPECT_EQ(sent->transmit.bytes, 200u);
    const auto frames = frames_of(*sent);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].sequence, 0u) << "in its own stream";
    EXPECT_NE(frames[0].stream, 7u);
    EXPECT_EQ(frames[0].due, 10 + 1'000) << "due when the frame was received";
    EXPECT_EQ(sent->bytes.back(), frame(5, 200).back()) << "the same fill";
    EXPECT_FALSE(outbox.poll(sink, 99));
    EXPECT_EQ(sink.answers().sent, 1u);
    EXPECT_EQ(sink.sink().counters().received, 1u);
}

TEST_F(AnsweringSinkTest, a_reply_is_not_answered) {
    receive(0);
    const auto sent = outbox.poll(sink, 10);
    ASSERT_TRUE(sent);
    sink.handle(20, {asker, 0, sent->bytes});
    EXPECT_FALSE(outbox.poll(sink, 20));
    EXPECT_EQ(sink.answers().refused, 1u);
    EXPECT_EQ(sink.sink().counters().received, 2u) << "but counted";
}

TEST_F(AnsweringSinkTest, corrupt_and_duplicate_frames_are_not_answered) {
    receive(0);
    Bytes bad = frame(1);
    bad[40] ^= std::byte{1};
    sink.handle(10, {asker, 0, bad});
    sink.handle(10, {asker, 0, {}});
    receive(0);
    EXPECT_EQ(frames_of(*outbox.poll(sink, 10)).size(), 1u);
    EXPECT_FALSE(outbox.poll(sink, 10));
    EXPECT_EQ(sink.sink().counters().corrupt, 2u);
    EXPECT_EQ(sink.sink().counters().duplicate, 1u);
}

TEST_F(AnsweringSinkTest, each_source_has_its_own_stream_and_sequences) {
    for (std::uint64_t i = 0; i < 3; ++i) {
        receive(i);
        receive(i, 64, other);
    }
    std::uint64_t next[2] = {0, 0};
    std::uint32_t stream[2] = {0, 0};
    for (const Sent& sent : outbox.drain(sink, 10))
        for (const Frame& frame : frames_of(sent)) {
            const bool second = sent.transmit.destination == other;
            EXPECT_EQ(frame.sequence, next[second]++);
            if (frame.sequence == 0) stream[second] = frame.stream;
            EXPECT_EQ(frame.stream, stream[second]);
        }
    EXPECT_EQ(next[0], 3u);
    EXPECT_EQ(next[1], 3u);
    EXPECT_NE(stream[0], stream[1]);
}

TEST_F(AnsweringSinkTest, consecutive_equal_replies_form_a_train) {
    for (std::uint64_t i = 0; i < 130; ++i) receive(i, 64, asker, 0, static_cast<Instant>(i / 100));
    receive(130, 65);
    receive(131, 64);
    receive(132, 64, asker, 1);
    receive(0, 64, other);
    std::vector<std::size_t> counts;
    for (const Sent& sent : outbox.drain(sink, 10)) {
        counts.push_back(frames_of(sent).size());
        EXPECT_EQ(sent.transmit.bytes % sent.transmit.segment_bytes, 0u);
    }
    EXPECT_EQ(counts, (std::vector<std::size_t>{128, 2, 1, 1, 1, 1}));
}

TEST_F(AnsweringSinkTest, each_reply_of_a_train_is_due_when_its_frame_was_received) {
    receive(0, 64, asker, 0, 5);
    receive(1, 64, asker, 0, 6);
    receive(2, 64, asker, 0, 6);
    const auto frames = frames_of(*outbox.poll(sink, 9));
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].due, 1'005);
    EXPECT_EQ(frames[1].due, 1'006);
    EXPECT_EQ(frames[2].due, 1'006);
}

TEST_F(AnsweringSinkTest, trains_stay_within_the_limits_of_a_transmit) {
    std::uint64_t sequence = 0;
    for (const std::size_t bytes : {1'400, 32'753, 32'754, 65'507})
        for (int i = 0; i < 60; ++i) receive(sequence++, bytes);
    std::uint64_t answered = 0;
    for (const Sent& sent : outbox.drain(sink, 10)) {
        EXPECT_LE(sent.transmit.bytes, limits::datagram_bytes_max);
        answered += frames_of(sent).size();
    }
    EXPECT_EQ(answered, sequence);
}

// Sizes change in buffers that already hold a fill, and there are more buffers than the sink keeps track of.
TEST_F(AnsweringSinkTest, frames_are_complete_in_every_buffer) {
    std::vector<Bytes> buffers(limits::transmit_buffers_max + 6, Bytes(limits::datagram_bytes_max));
    Random random(4);
    std::uint64_t sequence = 0, answered = 0;
    for (int round = 0; round < 2'000; ++round) {
        const std::size_t bytes = 24 + random() % 3 * 40;
        for (std::size_t i = random() % 5; i > 0; --i) receive(sequence++, bytes);
        Bytes& buffer = buffers[random() % buffers.size()];
        const auto transmit = sink.poll_transmit(10, buffer);
        if (!transmit) continue;
        for (std::size_t at = 0; at < transmit->bytes; at += transmit->segment_bytes) {
            const auto datagram = std::span(buffer).subspan(at, transmit->segment_bytes);
            ASSERT_TRUE(
                std::ranges::equal(datagram.subspan(frame_bytes_min), fill_of(datagram.size() - frame_bytes_min)));
            const auto frame = decode(datagram);
            ASSERT_TRUE(frame);
            ASSERT_EQ(frame->sequence, answered++);
        }
    }
    EXPECT_GT(answered, 3'000u);
}

// The replies sent have no gap: none of those dropped here looks lost on the network.
TEST_F(AnsweringSinkTest, a_full_queue_drops_replies_and_counts_them) {
    for (std::uint64_t i = 0; i < limits::load_answers_owed_max + 10u; ++i) receive(i);
    EXPECT_EQ(sink.answers().dropped, 10u);
    std::uint64_t next = 0;
    for (const Sent& sent : outbox.drain(sink, 10))
        for (const Frame& frame : frames_of(sent)) EXPECT_EQ(frame.sequence, next++);
    EXPECT_EQ(next, limits::load_answers_owed_max);
    receive(limits::load_answers_owed_max + 10u);
    EXPECT_EQ(frames_of(*outbox.poll(sink, 10)).front().sequence, next);
    EXPECT_EQ(sink.answers().dropped, 10u);
}

TEST_F(AnsweringSinkTest, does_not_answer_ports_that_reflect) {
    for (const int port : {0, 7, 19}) receive(0, 64, Address::v4(10, 0, 0, 9, static_cast<std::uint16_t>(port)));
    EXPECT_FALSE(outbox.poll(sink, 10));
    EXPECT_EQ(sink.answers().refused, 3u);
}

TEST_F(AnsweringSinkTest, a_source_that_was_evicted_starts_a_new_stream) {
    receive(0);
    const Frame before = frames_of(*outbox.poll(sink, 10)).front();
    const Bytes first = frame(0);
    for (std::uint32_t i = 0; i < limits::load_streams_max; ++i) {
        const auto source = Address::v4(10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 1'000);
        sink.handle(10, {source, 0, first});
        outbox.drain(sink, 10);
    }
    EXPECT_EQ(sink.answers().sources_forgotten, 1u);
    receive(1);
    const Frame after = frames_of(*outbox.poll(sink, 10)).front();
    EXPECT_NE(after.stream, before.stream);
    EXPECT_EQ(after.sequence, 0u);
}

}  // namespace
}  // namespace ringpost::traffic
