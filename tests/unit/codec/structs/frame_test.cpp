#include <ringpost/structs/frame.hpp>

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/codec/structs/model.hpp"
#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::structs {
namespace {

TEST(StructsFrame, every_vector_in_both_directions) {
    const Json all = vectors("struct");
    EXPECT_GE(all.size(), 17u);
    for (const Json& vector : all) {
        SCOPED_TRACE(vector.dump());
        const Bytes bytes = bytes_from_hex(vector.at("hex"));
        const auto packet = decode(bytes);
        ASSERT_TRUE(packet);
        EXPECT_EQ(packet->id, vector.at("id"));
        EXPECT_EQ(packet->payload.size(), vector.at("payload_size"));
        Bytes out(bytes.size());
        ASSERT_EQ(encode(*packet, out), bytes.size());
        EXPECT_EQ(out, bytes);
    }
}

TEST(StructsFrame, errors_in_the_order_of_the_checks) {
    const struct {
        const char* hex;
        FrameError error;
    } table[] = {
        {"", FrameError::no_magic},
        {"ff", FrameError::no_magic},
        {"fffe0000070000", FrameError::no_magic},
        {"feff0000070000", FrameError::no_magic},
        {"ffff", FrameError::past_end},
        {"ffff00000700", FrameError::past_end},
        {"ffff0000080000", FrameError::past_end},
        {"ffff0000ffff00", FrameError::past_end},
        {"ffff0000060000", FrameError::size_small},
        {"ffff0000000000", FrameError::size_small},
        {"ffff0000070001", FrameError::checksum},
        {"ffff000009000101020f", FrameError::checksum},
    };
    for (const auto& [hex, error] : table) {
        const auto packet = decode(bytes_from_hex(hex));
        ASSERT_FALSE(packet) << hex;
        EXPECT_EQ(packet.error(), error) << hex;
    }
    EXPECT_EQ(decode(bytes_from_hex("ffff000009000301020f"))->payload.size(), 2u) << "trailing bytes are ignored";
}

TEST(StructsFrame, the_largest_packet) {
    Random random(1);
    const Bytes payload = random_bytes(random, limits::struct_payload_bytes_max);
    Bytes bytes(packet_bytes_max);
    ASSERT_EQ(encode({65'535, payload}, bytes), packet_bytes_max);
    const auto packet = decode(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->id, 65'535);
    EXPECT_EQ(Bytes(packet->payload.begin(), packet->payload.end()), payload);
    EXPECT_EQ(decode(std::span(bytes).first(packet_bytes_max - 1)).error(), FrameError::past_end);
}

TEST(StructsFrame, any_flipped_bit_of_payload_and_checksum_is_detected_but_none_of_the_id) {
    Bytes bytes(header_bytes + 100);
    Random random(2);
    encode({7, random_bytes(random, 100)}, bytes);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        const bool in_id = bit / 8 == 2 || bit / 8 == 3;
        const bool in_size = bit / 8 == 4 || bit / 8 == 5;
        EXPECT_TRUE(in_size || decode(bytes).has_value() == in_id) << bit;
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
}

TEST(StructsFrame, xor_of_every_length_and_alignment) {
    Random random(3);
    const Bytes bytes = random_bytes(random, 700);
    for (std::size_t from = 0; from < 9; ++from)
        for (std::size_t count = 0; count < 300; ++count) {
            const auto part = std::span(bytes).subspan(from, count);
            ASSERT_EQ(xor_of(part), model::xor_of(part)) << from << " " << count;
        }
}

TEST(StructsFrame, the_magic_is_found_at_any_position) {
    for (std::size_t size = 0; size < 300; ++size) {
        Bytes bytes(size);
        ASSERT_EQ(find_magic(bytes, 0), size);
        for (std::size_t at = 0; at + 1 < size; ++at) {
            bytes[at] = bytes[at + 1] = std::byte{0xff};
            const std::size_t from = at - std::min<std::size_t>(at, size % 130);
            ASSERT_EQ(find_magic(bytes, from), at) << size;
            ASSERT_EQ(find_magic(bytes, at + 1), size);
            bytes[at] = bytes[at + 1] = std::byte{};
        }
    }
}

TEST(StructsFrame, a_single_ff_is_not_a_magic) {
    Bytes bytes(1'000);
    for (std::size_t i = 0; i < bytes.size(); i += 2) bytes[i] = std::byte{0xff};
    EXPECT_EQ(find_magic(bytes, 0), bytes.size());
    bytes[501] = std::byte{0xff};
    EXPECT_EQ(find_magic(bytes, 0), 500u);
    EXPECT_EQ(find_magic(bytes, 501), 501u);
    EXPECT_EQ(find_magic(bytes, 502), bytes.size());
}

}  // namespace
}  // namespace ringpost::structs
