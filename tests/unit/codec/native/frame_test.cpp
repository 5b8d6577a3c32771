#include "codec/native/frame.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/codec/native/frame_samples.hpp"

namespace ringpost::native {
namespace {

std::expected<Frame, FrameError> decode(const std::string& hex) {
    const Bytes bytes = from_hex(hex);
    std::span<const std::byte> rest = bytes;
    return take_frame(rest);
}

FrameError error_of(const std::string& hex) {
    const auto frame = decode(hex);
    EXPECT_FALSE(frame.has_value()) << hex;
    return frame ? FrameError{} : frame.error();
}

TEST(NativeFrame, every_form_is_decoded_and_encoded_again) {
    for (const FrameSample& sample : frame_samples) {
        SCOPED_TRACE(sample.name);
        Bytes bytes = from_hex(sample.hex);
        const std::size_t size = bytes.size();
        if (!sample.extends) bytes.insert(bytes.end(), 3, std::byte{0});
        std::span<const std::byte> rest = bytes;
        const auto frame = take_frame(rest);
        ASSERT_TRUE(frame.has_value());
        EXPECT_EQ(rest.size(), bytes.size() - size);
        bytes.resize(size);
        EXPECT_EQ(encode_frame(*frame, is_of_one_length(bytes[0])), bytes);
        // The right form, or none at all, for any room.
        for (std::size_t room = 0; room <= size && bytes[0] != std::byte{3} && bytes[0] != std::byte{4}; ++room)
            EXPECT_EQ(encode_frame(*frame, is_of_one_length(bytes[0]), room).size(), room < size ? 0 : size);
    }
}

TEST(NativeFrame, every_cut_is_an_error) {
    for (const FrameSample& sample : frame_samples) {
        if (sample.extends) continue;
        const Bytes bytes = from_hex(sample.hex);
        for (std::size_t size = 1; size < bytes.size(); ++size) {
            const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
            std::span<const std::byte> rest = cut;
            const auto frame = take_frame(rest);
            ASSERT_FALSE(frame.has_value()) << sample.name << ", " << size;
            EXPECT_EQ(frame.error(), FrameError::cut_off) << sample.name << ", " << size;
            EXPECT_EQ(rest.size(), size) << "nothing is taken";
        }
    }
}

TEST(NativeFrame, other_types_are_unknown) {
    for (unsigned type = 0; type < 256; ++type) {
        bool known = type >= 0x10 && type <= 0x3e && type % 2 == 0;
        for (const FrameSample& sample : frame_samples)
            known |= from_hex(sample.hex)[0] == static_cast<std::byte>(type);
        Bytes bytes(64);
        bytes[0] = static_cast<std::byte>(type);
        std::span<const std::byte> rest = bytes;
        const auto frame = take_frame(rest);
        EXPECT_EQ(!frame && frame.error() == FrameError::unknown_type, !known) << type;
    }
}

TEST(NativeFrame, values_that_cannot_be) {
    EXPECT_EQ(error_of("03 04030201 0700 00 05"), FrameError::value_range) << "no range";
    EXPECT_EQ(error_of("03 04030201 0700 41 05"), FrameError::value_range) << "65 ranges";
    EXPECT_EQ(error_of("03 04030201 0700 01 00"), FrameError::value_range) << "an empty run";
    EXPECT_EQ(error_of("03 04030201 0700 02 01 00 01"), FrameError::value_range) << "an empty gap";
    EXPECT_EQ(error_of("0b 03 00 08 01 00 00"), FrameError::value_range) << "priority 8";
    EXPECT_EQ(error_of("0b 03 00 00 00 00 00"), FrameError::value_range) << "weight 0";
    EXPECT_EQ(error_of("0c 01 04030201 00"), FrameError::value_range) << "none is skipped";
    EXPECT_EQ(error_of("0d 09 0000 a86100 0100"), FrameError::value_range) << "threshold 0";
    EXPECT_EQ(error_of("0e 0100 02 00 00"), FrameError::value_range) << "graceful 2";
    EXPECT_EQ(error_of("0e 0100 01 02 07 05000000 07 ffffffff 00"), FrameError::value_range) << "a channel twice";
    EXPECT_EQ(error_of("0f 0100 02"), FrameError::value_range) << "delivered 2";
    EXPECT_EQ(error_of("40 01 04030201 00"), FrameError::value_range) << "no message";
    EXPECT_EQ(error_of("41 01 04030201 00 00"), FrameError::value_range) << "no message";
    EXPECT_EQ(error_of("48 00 01000000 03000000 03000000 0000"), FrameError::value_range) << "no byte";
    EXPECT_EQ(error_of("48 00 01000000 03000000 01000000 0300 616263"), FrameError::value_range) << "past the end";
    EXPECT_EQ(error_of("48 00 01000000 03000000 04000000 0100 61"), FrameError::value_range) << "behind the end";
}

TEST(NativeFrame, only_the_shortest_integers) {
    for (const char* longer : {"fc0000", "fcfb00", "fd00000000", "fdffff0000", "fe0000000000000000",
                               "feffffffff00000000", "ff", "ffffffffffffffffff"})
        EXPECT_EQ(error_of(std::string("05 00 ") + longer), FrameError::cut_off) << longer;
    EXPECT_EQ(error_of("40 00 00000000 01 fc0100 61"), FrameError::cut_off);
    EXPECT_EQ(error_of("40 00 00000000 02 01 61 fc0100 61"), FrameError::cut_off);
}

TEST(NativeFrame, integers_at_their_limits) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{251}, std::uint64_t{252}, std::uint64_t{0xffff}, std::uint64_t{0x10000},
          std::uint64_t{0xffff'ffff}, std::uint64_t{0x1'0000'0000}, UINT64_MAX}) {
        std::byte out[integer_bytes_max];
        const std::byte* end = write_integer(out, value);
        EXPECT_EQ(static_cast<std::size_t>(end - out), integer_bytes(value));
        std::uint64_t read = 1;
        EXPECT_EQ(read_integer_before(out, end, read), integer_bytes(value));
        EXPECT_EQ(read, value);
        EXPECT_EQ(read_integer_before(out, end - 1, read), 0u);
    }
}

TEST(NativeFrame, lengths_that_overflow_are_cut_off) {
    EXPECT_EQ(error_of("40 00 00000000 02 feffffffffffffffff 00"), FrameError::cut_off);
    EXPECT_EQ(error_of("40 00 00000000 02 00 feffffffffffffffff 00"), FrameError::cut_off);
    EXPECT_EQ(error_of("41 00 00000000 02 fe0000000000000080 00"), FrameError::cut_off);
    EXPECT_EQ(error_of("10 feffffffffffffffff 00"), FrameError::cut_off);
    EXPECT_EQ(error_of("50 00 00 00000000 feffffffffffffffff 00"), FrameError::cut_off);
}

TEST(NativeFrame, fields) {
    const Bytes ack_bytes = from_hex("03 ff000000 0200 03 01 02 03 04 05");
    std::span<const std::byte> rest = ack_bytes;
    const auto frame = take_frame(rest);
    const auto& ack = std::get<AckFrame>(*frame);
    EXPECT_EQ(ack.delay, 16 * microsecond);
    recovery::PacketRange ranges[limits::native_ranges_sent_max];
    ASSERT_EQ(ranges_of(ack, 0x1'0000'00ff, ranges), 3u);
    EXPECT_EQ(ranges[0], (recovery::PacketRange{0x1'0000'00ff, 0x1'0000'00ff}));
    EXPECT_EQ(ranges[1], (recovery::PacketRange{0x1'0000'00fa, 0x1'0000'00fc}));
    EXPECT_EQ(ranges[2], (recovery::PacketRange{0x1'0000'00f1, 0x1'0000'00f5}));
    EXPECT_EQ(ranges_of(ack, 14, ranges), 3u);
    EXPECT_EQ(ranges[2], (recovery::PacketRange{0, 4}));
    EXPECT_EQ(ranges_of(ack, 13, ranges), 0u) << "below zero";
    EXPECT_EQ(ranges_of(ack, 3, ranges), 0u);
    EXPECT_EQ(std::get<AckRateFrame>(*decode("0d 09 4000 a86101 0100")).delay, 90'536 * microsecond);
}

TEST(NativeFrame, an_ack_holds_as_many_ranges_as_fit) {
    std::vector<recovery::PacketRange> ranges;
    for (std::uint64_t i = 0; i < 100; ++i) ranges.push_back({1'000 - 10 * i, 1'003 - 10 * i});
    for (std::size_t room = 0; room < 200; ++room) {
        Bytes out(room);
        FrameWriter writer(out);
        ASSERT_EQ(writer.ack(ranges, 0), room < 9 ? 0 : std::min<std::size_t>(64, 1 + (room - 9) / 2));
        if (room < 9) continue;
        std::span<const std::byte> rest = std::span(out).first(writer.bytes());
        const auto frame = take_frame(rest);
        ASSERT_TRUE(frame.has_value() && rest.empty());
        EXPECT_EQ(std::get<AckFrame>(*frame).ranges, std::min<std::size_t>(64, 1 + (room - 9) / 2));
    }
}

TEST(NativeFrame, runs_are_walked_and_shortened) {
    for (const char* hex :
         {"40 00 00000000 04 02 6161 02 6262 02 6363 02 6464", "41 00 00000000 04 02 6161 6262 6363 6464",
          "40 00 00000000 04 01 61 03 626262 00 02 6464"}) {
        const Bytes bytes = from_hex(hex);
        std::span<const std::byte> rest = bytes;
        const auto frame = take_frame(rest);
        const native::Run run = std::get<MessagesFrame>(*frame).run;
        std::vector<std::string> all;
        std::uint64_t total = 0;
        run.for_each([&](std::span<const std::byte> message) {
            all.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
            total += message.size();
        });
        ASSERT_EQ(all.size(), 4u);
        EXPECT_EQ(run.payload_bytes(), total);
        for (std::uint32_t skipped = 0; skipped < 4; ++skipped) {
            std::size_t at = skipped;
            const native::Run less = run.without_first(skipped);
            EXPECT_EQ(less.at + less.bytes, run.at + run.bytes);
            less.for_each([&](std::span<const std::byte> message) {
                EXPECT_EQ(std::string(reinterpret_cast<const char*>(message.data()), message.size()), all[at++]);
            });
            EXPECT_EQ(at, 4u);
        }
    }
}

}  // namespace
}  // namespace ringpost::native
