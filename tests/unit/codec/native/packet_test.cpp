#include "codec/native/packet.hpp"

#include <gtest/gtest.h>

#include "codec/native/limits.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::native {
namespace {

ShortHeader sample_short_header() {
    return {{7, {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}}},
            0x89abcdef,
            true,
            0x15};
}

TEST(Packet, short_header_has_the_documented_bytes) {
    Bytes out(short_header_bytes);
    write_short_header(out.data(), sample_short_header());
    EXPECT_EQ(out, bytes_from_hex("7507010203040506efcdab89"));
    EXPECT_EQ(parse_short_header(out), sample_short_header());
    ShortHeader plain = sample_short_header();
    plain.key_phase = false;
    plain.random = 0xff;
    write_short_header(out.data(), plain);
    EXPECT_EQ(out[0], std::byte{0x5f}) << "more than five random bits";
}

TEST(Packet, short_header_is_not_found_in_less_or_in_other_forms) {
    Bytes out(short_header_bytes + 30);
    write_short_header(out.data(), sample_short_header());
    for (std::size_t size = 0; size <= out.size(); ++size)
        EXPECT_EQ(parse_short_header(std::span(out).first(size)).has_value(), size >= short_header_bytes) << size;
    for (int first = 0; first < 256; ++first) {
        out[0] = static_cast<std::byte>(first);
        const Form form = first < 64    ? Form::foreign
                          : first < 128 ? Form::short_packet
                          : first < 192 ? Form::foreign
                                        : Form::long_packet;
        EXPECT_EQ(form_of(out), form) << first;
        EXPECT_EQ(parse_short_header(out).has_value(), form == Form::short_packet) << first;
    }
    EXPECT_EQ(form_of({}), Form::foreign);
}

TEST(Packet, full_number_is_the_closest) {
    // The example of RFC 9000, A.3, with 32 bits.
    EXPECT_EQ(full_number(0xa82f30eb, 0xa82f9b32), 0xa82f9b32u);
    constexpr std::uint64_t period = std::uint64_t{1} << 32;
    for (const std::uint64_t expected :
         {std::uint64_t{0}, std::uint64_t{1}, period / 2, period - 1, period, 5 * period + 17, UINT64_MAX - period}) {
        for (const std::int64_t distance :
             {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{65'536}, std::int64_t{-65'536},
              std::int64_t{0x7fff'ffff}, std::int64_t{-0x7fff'ffff}}) {
            if (distance < 0 && expected < static_cast<std::uint64_t>(-distance)) continue;
            const std::uint64_t number = expected + static_cast<std::uint64_t>(distance);
            EXPECT_EQ(full_number(expected, static_cast<std::uint32_t>(number)), number) << expected << ' ' << distance;
        }
    }
    EXPECT_EQ(full_number(0, 0xffff'ffff), 0xffff'ffffu) << "no number below zero";
    EXPECT_EQ(full_number(UINT64_MAX, 3), UINT64_MAX - 0xffff'ffff + 3) << "no number past 2^64";
}

}  // namespace
}  // namespace ringpost::native
