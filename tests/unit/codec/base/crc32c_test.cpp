#include "codec/base/crc32c.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

// The definition, one bit at a time.
std::uint32_t after_byte(std::uint32_t state, std::byte byte) {
    state ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ ((state & 1) != 0 ? 0x82f63b78 : 0);
    return state;
}

std::uint32_t crc32c_by_bits(std::span<const std::byte> bytes) {
    std::uint32_t state = ~0u;
    for (const std::byte byte : bytes) state = after_byte(state, byte);
    return ~state;
}

Bytes counting(int first, int step) {
    Bytes out(32);
    for (int i = 0; i < 32; ++i) out[static_cast<std::size_t>(i)] = static_cast<std::byte>(first + step * i);
    return out;
}

TEST(Crc32c, vectors_of_rfc_3720_b_4) {
    // The iSCSI Read (10) command of the same appendix.
    const Bytes command = bytes_from_hex(
        "01c00000"
        "00000000"
        "00000000"
        "00000000"
        "14000000"
        "00000400"
        "00000014"
        "00000018"
        "28000000"
        "00000000"
        "02000000"
        "00000000");
    const struct {
        Bytes bytes;
        std::uint32_t crc;
    } vectors[] = {{Bytes(32), 0x8a9136aa},
                   {Bytes(32, std::byte{0xff}), 0x62a8ab43},
                   {counting(0, 1), 0x46dd794e},
                   {counting(31, -1), 0x113fdb5c},
                   {command, 0xd9963a56},
                   {bytes_of("123456789"), 0xe3069283},
                   {{}, 0}};
    for (const auto& vector : vectors) {
        EXPECT_EQ(crc32c(vector.bytes), vector.crc);
        EXPECT_EQ(crc32c_by_bits(vector.bytes), vector.crc);
        for (const auto& each : crc32c_implementations())
            EXPECT_EQ(each.compute(vector.bytes), vector.crc) << each.name;
    }
}

TEST(Crc32c, all_implementations_agree_with_the_definition_at_every_length_and_alignment) {
    constexpr std::size_t length_max = 4'096, alignments = 64;
    Random random(4);
    const Bytes memory = random_bytes(random, length_max + 2 * alignments);
    const std::size_t first = alignments - reinterpret_cast<std::uintptr_t>(memory.data()) % alignments;
    for (std::size_t alignment = 0; alignment < alignments; ++alignment) {
        const auto bytes = std::span(memory).subspan(first + alignment, length_max);
        std::uint32_t state = ~0u;
        for (std::size_t length = 0; length <= length_max; ++length) {
            for (const auto& each : crc32c_implementations())
                ASSERT_EQ(each.compute(bytes.first(length)), ~state)
                    << each.name << ", " << length << " bytes at alignment " << alignment;
            if (length < length_max) state = after_byte(state, bytes[length]);
        }
    }
}

TEST(Crc32c, all_implementations_agree_up_to_the_longest_datagram) {
    Random random(5);
    const Bytes bytes = random_bytes(random, 65'536);
    for (std::size_t length = 65'536; length > 1'500; length -= 997) {
        const auto part = std::span(bytes).first(length);
        const std::uint32_t expected = crc32c_implementations().front().compute(part);
        for (const auto& each : crc32c_implementations()) ASSERT_EQ(each.compute(part), expected) << each.name;
    }
}

TEST(Crc32cSuffix, appends_without_reading_the_suffix) {
    Random random(6);
    for (std::size_t length = 0; length <= 1'500; length += length < 70 ? 1 : 143) {
        const Bytes suffix = random_bytes(random, length);
        const Crc32cSuffix append(suffix);
        for (const std::size_t head : {0u, 1u, 7u, 20u, 64u, 300u}) {
            Bytes whole = random_bytes(random, head);
            const std::uint32_t crc = crc32c(whole);
            whole.insert(whole.end(), suffix.begin(), suffix.end());
            ASSERT_EQ(append.append_to(crc), crc32c(whole)) << head << " + " << length;
        }
    }
}

}  // namespace
}  // namespace ringpost
