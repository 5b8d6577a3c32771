#include "codec/traffic/control.hpp"

#include <gtest/gtest.h>

#include "codec/base/limits.hpp"
#include "codec/traffic/control_answers.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/sink.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

const Control request{.kind = ControlKind::ask_counts, .stream = 0x01020304, .cookie = 0x1122334455667788};

Bytes encoded(const Control& control) {
    Bytes out(control_bytes);
    encode_control(control, out);
    return out;
}

Bytes with_crc(Bytes bytes) {
    store_le<std::uint32_t>(bytes.data(), ~crc32c(std::span(bytes).subspan(4)));
    return bytes;
}

TEST(Control, layout) {
    const Bytes bytes = encoded(request);
    ASSERT_EQ(bytes.size(), control_bytes);
    EXPECT_EQ(load_le<std::uint32_t>(&bytes[4]), request.stream);
    EXPECT_EQ(load_le<std::uint64_t>(&bytes[8]), request.cookie);
    EXPECT_EQ(load_le<std::uint64_t>(&bytes[16]), 1u);
    EXPECT_EQ(decode_control(bytes), request);
    EXPECT_FALSE(decode(bytes)) << "no frame";
}

TEST(Control, a_frame_of_the_same_size_is_none) {
    Bytes frame(control_bytes);
    encode({1, 2, 3}, frame);
    EXPECT_TRUE(decode(frame));
    EXPECT_FALSE(decode_control(frame));
}

TEST(Control, there_is_one_encoding) {
    const Bytes good = encoded(request);
    for (std::size_t size = 0; size < control_bytes; ++size)
        EXPECT_FALSE(decode_control(std::span(good).first(size))) << size;
    Bytes longer = good;
    longer.push_back({});
    EXPECT_FALSE(decode_control(with_crc(longer)));
    for (std::size_t at = 0; at < control_bytes; ++at) {
        Bytes bad = good;
        bad[at] ^= std::byte{1};
        EXPECT_FALSE(decode_control(bad)) << at;
        // With a CRC that fits, stream and cookie are free, everything else is not.
        EXPECT_EQ(decode_control(with_crc(bad)).has_value(), at < 16) << at;
    }
}

TEST(Control, counts_that_cannot_be_true_are_not_credible) {
    const StreamCounts good{.received = 7, .missing = 2, .end = 9, .duplicate = 100, .reordered = 7, .corrupt = 1'000};
    const auto answer = [](const StreamCounts& counts) { return counts_answer(request, counts, false); };
    EXPECT_TRUE(counts_of(answer(good), 9).credible);
    EXPECT_EQ(counts_of(answer(good), 9).counts, good);
    EXPECT_EQ(counts_of(answer(good), 12).counts, good);
    EXPECT_FALSE(counts_of(answer(good), 8).credible) << "more than was sent";
    for (const auto member : {&StreamCounts::received, &StreamCounts::missing, &StreamCounts::end,
                              &StreamCounts::duplicate, &StreamCounts::reordered, &StreamCounts::corrupt}) {
        StreamCounts bad = good;
        bad.*member = UINT64_MAX;
        EXPECT_FALSE(counts_of(answer(bad), 9).credible);
    }
    const CountsAnswer forgotten = counts_of(counts_answer(request, {}, true), 9);
    EXPECT_TRUE(forgotten.credible);
    EXPECT_FALSE(forgotten.counts);
    EXPECT_FALSE(counts_of(request, 9).credible);
}

class ControlOfASink : public testing::Test {
  protected:
    void receive(const Bytes& bytes, const Address& from = sender) { sink.handle(++now, {from, 0, bytes}); }
    void receive_frame(std::uint64_t sequence, std::uint32_t stream = request.stream) {
        Bytes frame(frame_bytes_min);
        encode({stream, sequence, 0}, frame);
        receive(frame);
    }
    std::optional<Control> answer() {
        Bytes out(limits::datagram_bytes_max);
        const auto transmit = sink.poll_transmit(now, out);
        if (!transmit) return std::nullopt;
        EXPECT_EQ(transmit->bytes, control_bytes) << "as large as the request";
        return decode_control(std::span(out).first(transmit->bytes));
    }

    static inline const Address sender = Address::v4(10, 0, 0, 1, 4'000);
    Sink sink{{.key = SipKey{1, 2}, .answers_control = true}};
    Instant now = second;
};

TEST_F(ControlOfASink, reports_the_stream_of_the_sender_that_asks) {
    for (const std::uint64_t sequence : {0, 1, 4, 4, 3}) receive_frame(sequence);
    receive(Bytes(20));
    receive(encoded(request));
    const auto found = answer();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->cookie, request.cookie);
    EXPECT_EQ(counts_of(*found, 5).counts,
              (StreamCounts{.received = 4, .missing = 1, .end = 5, .duplicate = 1, .reordered = 1, .corrupt = 1}));
    EXPECT_EQ(sink.counters().received, 6u) << "requests do not count";
    EXPECT_EQ(sink.counters().corrupt, 1u);
    receive(encoded(request), Address::v4(10, 0, 0, 1, 4'001));
    const auto stranger = answer();
    ASSERT_TRUE(stranger);
    EXPECT_EQ(counts_of(*stranger, 5).counts, StreamCounts{}) << "knows nothing of the streams of others";
}

TEST_F(ControlOfASink, what_a_source_broke_in_an_earlier_run_is_not_of_this_one) {
    receive_frame(0, request.stream + 1);
    for (int i = 0; i < 5; ++i) receive(Bytes(20));
    receive_frame(0);
    receive(Bytes(20));
    receive(encoded(request));
    EXPECT_EQ(counts_of(answer().value(), 1).counts, (StreamCounts{.received = 1, .end = 1, .corrupt = 1}));
}

TEST_F(ControlOfASink, answers_are_not_answered) {
    receive(encoded(counts_answer(request, {}, false)));
    EXPECT_FALSE(answer());
    EXPECT_EQ(sink.counters().received, 0u);
}

TEST_F(ControlOfASink, the_rate_of_answers_is_bounded) {
    std::uint64_t answers = 0;
    const Instant end = now + second;
    for (; now < end; now += second / 100'000) {
        receive(encoded(request));
        answers += answer().has_value();
    }
    EXPECT_LE(answers,
              static_cast<std::uint64_t>(limits::control_answers_per_s) + limits::control_answers_owed_max + 1);
    EXPECT_GE(answers, static_cast<std::uint64_t>(limits::control_answers_per_s));
    EXPECT_EQ(sink.control().withheld + sink.control().answered, sink.control().asked);
}

TEST_F(ControlOfASink, answers_wait_up_to_a_limit) {
    for (std::uint32_t i = 0; i < limits::control_answers_owed_max + 10; ++i) receive(encoded(request));
    std::uint32_t answers = 0;
    while (answer()) ++answers;
    EXPECT_LE(answers, limits::control_answers_owed_max);
}

TEST_F(ControlOfASink, ports_that_reflect_get_none) {
    receive(encoded(request), Address::v4(10, 0, 0, 1, 7));
    EXPECT_FALSE(answer());
    EXPECT_EQ(sink.control().withheld, 1u);
}

TEST(ControlOff, a_request_is_a_corrupt_datagram) {
    Sink sink{{.key = SipKey{1, 2}}};
    const Bytes bytes = encoded(request);
    sink.handle(1, {Address::v4(10, 0, 0, 1, 4'000), 0, bytes});
    Bytes out(limits::datagram_bytes_max);
    EXPECT_FALSE(sink.poll_transmit(1, out));
    EXPECT_EQ(sink.counters().corrupt, 1u);
}

}  // namespace
}  // namespace ringpost::traffic
