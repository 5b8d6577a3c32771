#include "codec/traffic/frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

void put(Bytes& out, std::size_t at, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) out[at + i] = static_cast<std::byte>(value >> 8 * i);
}

// The format as described in frame.hpp, with the CRC computed over all bytes, without Crc32cSuffix and store_le.
Bytes straightforward(const Frame& frame, const Bytes& fill) {
    Bytes out(24 + fill.size());
    put(out, 4, frame.stream, 4);
    put(out, 8, frame.sequence, 8);
    put(out, 16, static_cast<std::uint64_t>(frame.due), 8);
    std::ranges::copy(fill, out.begin() + 24);
    put(out, 0, crc32c(std::span(out).subspan(4)), 4);
    return out;
}

Bytes written(std::size_t size, const Frame& frame) {
    const FrameWriter writer(size);
    Bytes out(size);
    writer.prepare(out, 1);
    writer.write(out.data(), frame, 1);
    return out;
}

Bytes fill_in(std::span<const std::byte> bytes) {
    const auto fill = bytes.subspan(frame_bytes_min);
    return {fill.begin(), fill.end()};
}

TEST(LoadFrame, decodes_the_reference_encoding) {
    const Frame frames[] = {
        {}, {0xdeadbeef, sequence_end - 1, 0x0123456789abcdef}, {1, 2, -1}, {0xffffffff, 0x800000000000, INT64_MIN}};
    for (const Frame& frame : frames)
        for (const std::size_t fill : {0, 1, 7, 40, 1'448}) {
            EXPECT_EQ(decode(straightforward(frame, Bytes(fill, std::byte{0x5a}))), frame);
        }
}

TEST(LoadFrame, writer_agrees_with_the_reference_encoding) {
    Random random(7);
    for (std::size_t size = frame_bytes_min; size <= 1'472; size += size < 100 ? 1 : 49) {
        const Frame frame{static_cast<std::uint32_t>(random()), random() % sequence_end,
                          static_cast<Instant>(random())};
        const Bytes out = written(size, frame);
        ASSERT_EQ(out, straightforward(frame, fill_in(out))) << size;
        ASSERT_EQ(decode(out), frame) << size;
    }
}

TEST(LoadFrame, writer_prepares_the_fill_for_a_whole_train) {
    constexpr std::size_t size = 100, count = 5;
    const FrameWriter writer(size);
    Bytes train(size * count + 1, std::byte{0xee});
    writer.prepare(train, count);
    for (std::uint64_t round = 0; round < 3; ++round)
        for (std::size_t i = 0; i < count; ++i) {
            const Frame frame{9, round * count + i, 77};
            writer.write(&train[i * size], frame, 1);
            EXPECT_EQ(decode(std::span(train).subspan(i * size, size)), frame);
            EXPECT_EQ(Bytes(&train[i * size], &train[i * size] + size), written(size, frame));
        }
    EXPECT_EQ(train.back(), std::byte{0xee}) << "wrote past the train";
}

TEST(LoadFrame, a_run_equals_its_single_frames) {
    constexpr std::size_t size = 50, count_max = 600;  // more than two wraps of the lowest byte
    const FrameWriter writer(size);
    Bytes train(size * count_max);
    writer.prepare(train, count_max);
    for (const std::uint64_t sequence :
         std::initializer_list<std::uint64_t>{0, 1, 200, 255, 256, 0xffff'ff80, sequence_end - 600})
        for (const std::size_t count : {1, 2, 56, 57, 128, 600}) {
            const Frame first{0xdeadbeef, sequence, 0x123456789};
            writer.write(train.data(), first, count);
            for (std::size_t i = 0; i < count; ++i) {
                const auto frame = std::span(train).subspan(i * size, size);
                const Bytes expected = straightforward({first.stream, sequence + i, first.due}, fill_in(frame));
                ASSERT_TRUE(std::ranges::equal(frame, expected)) << sequence << " + " << i << " of " << count;
            }
        }
    writer.write(train.data(), {1, 2, 3}, 0);
    EXPECT_EQ(decode(std::span(train).first(size))->stream, 0xdeadbeef) << "an empty run writes nothing";
}

TEST(LoadFrame, frames_of_a_run_may_have_due_times_of_their_own) {
    constexpr std::size_t size = 50, count = 600;
    const FrameWriter writer(size);
    Bytes train(size * count);
    writer.prepare(train, count);
    Random random(8);
    for (int round = 0; round < 20; ++round) {
        // Gaps of nanoseconds, and such that any byte of the due time changes.
        const auto gap_bits = static_cast<unsigned>(1 + random() % 55);
        std::vector<Instant> dues(count, static_cast<Instant>(random() >> 4));
        for (std::size_t i = 1; i < count; ++i)
            dues[i] = dues[i - 1] + static_cast<Duration>(random() >> (64 - gap_bits) >> 10);
        const Frame first{static_cast<std::uint32_t>(random()), random() % (sequence_end - count), 0};
        writer.write_due(train.data(), first, dues, 5);
        for (std::size_t i = 0; i < count; ++i) {
            const auto frame = std::span(train).subspan(i * size, size);
            const Bytes expected = straightforward({first.stream, first.sequence + i, dues[i] + 5}, fill_in(frame));
            ASSERT_TRUE(std::ranges::equal(frame, expected)) << i << ", gaps of " << gap_bits << " bits";
        }
    }
}

TEST(LoadFrame, longest_frame) {
    const Frame frame{3, 4, 5};
    const Bytes out = written(limits::datagram_bytes_max, frame);
    EXPECT_EQ(decode(out), frame);
    EXPECT_EQ(out, straightforward(frame, fill_in(out)));
}

TEST(LoadFrame, any_flipped_bit_is_detected) {
    for (const std::size_t size : {24, 25, 64, 200}) {
        Bytes out = written(size, {0x01020304, 5, 6});
        for (std::size_t bit = 0; bit < size * 8; ++bit) {
            out[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
            ASSERT_FALSE(decode(out)) << "bit " << bit << " of " << size << " bytes";
            out[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        }
        ASSERT_TRUE(decode(out));
    }
}

TEST(LoadFrame, any_truncation_is_detected) {
    const Bytes out = written(200, {1, 2, 3});
    for (std::size_t size = 0; size < out.size(); ++size) ASSERT_FALSE(decode(std::span(out).first(size))) << size;
    Bytes longer = out;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode(longer));
}

TEST(LoadFrame, sequence_out_of_range_is_refused_despite_a_valid_crc) {
    EXPECT_TRUE(decode(straightforward({1, sequence_end - 1, 0}, {})));
    EXPECT_FALSE(decode(straightforward({1, sequence_end, 0}, {})));
    EXPECT_FALSE(decode(straightforward({1, UINT64_MAX, 0}, {})));
}

TEST(LoadFrame, encode_agrees_with_a_writer_of_that_size) {
    for (const std::size_t bytes : {24, 25, 64, 1'400}) {
        const Frame frame{5, 0x123456789, 42};
        const FrameWriter writer(bytes);
        Bytes expected(bytes), out(2'000);
        writer.prepare(expected, 1);
        writer.write(expected.data(), frame, 1);
        FrameWriter(out.size()).prepare(out, 1);  // the fill of a small frame is a prefix of that of a larger one
        encode(frame, std::span(out).first(bytes));
        out.resize(bytes);
        EXPECT_EQ(out, expected);
        EXPECT_EQ(decode(out), frame);
    }
}

}  // namespace
}  // namespace ringpost::traffic
