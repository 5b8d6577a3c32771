#include "codec/beacon/frame.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::beacon {
namespace {

std::array<std::uint8_t, 4> ipv4_of(const std::string& text) {
    std::array<std::uint8_t, 4> out{};
    EXPECT_EQ(std::sscanf(text.c_str(), "%hhu.%hhu.%hhu.%hhu", &out[0], &out[1], &out[2], &out[3]), 4) << text;
    return out;
}

TEST(BeaconFrame, every_vector_in_both_directions) {
    const Json all = vectors("beacon");
    EXPECT_GE(all.size(), 4u);
    for (const Json& vector : all) {
        SCOPED_TRACE(vector.at("hex").get<std::string>().substr(0, 36));
        const Bytes bytes = bytes_from_hex(vector.at("hex"));
        const std::string quote = vector.at("quote");
        const Frame frame{vector.at("timestamp"), ipv4_of(vector.at("ipv4")), vector.at("port"), quote};
        const auto decoded = decode(bytes);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, frame);
        Bytes out(bytes.size());
        ASSERT_EQ(encode(frame, out), bytes.size());
        EXPECT_EQ(out, bytes);
    }
}

TEST(BeaconFrame, every_bad_vector_is_refused_with_its_error) {
    const Json all = vectors("beacon_bad");
    EXPECT_GE(all.size(), 3u);
    for (const Json& vector : all) {
        const std::string why = vector.at("why");
        const auto decoded = decode(bytes_from_hex(vector.at("hex")));
        ASSERT_FALSE(decoded) << why;
        EXPECT_EQ(decoded.error(), why == "checksum" ? FrameError::checksum : FrameError::too_short) << why;
    }
}

Bytes encoded(const Frame& frame) {
    Bytes out(header_bytes + frame.quote.size());
    EXPECT_EQ(encode(frame, out), out.size());
    return out;
}

TEST(BeaconFrame, any_flipped_bit_is_detected) {
    Bytes bytes = encoded({1'700'000'000, {127, 0, 0, 1}, 5005, default_quote});
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        const auto decoded = decode(bytes);
        ASSERT_FALSE(decoded) << bit;
        ASSERT_EQ(decoded.error(), FrameError::checksum) << bit;
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
}

TEST(BeaconFrame, too_short_is_checked_first) {
    const Bytes bytes = encoded({0, {}, 0, ""});
    for (std::size_t size = 0; size < header_bytes; ++size)
        EXPECT_EQ(decode(std::span(bytes).first(size)).error(), FrameError::too_short);
    EXPECT_TRUE(decode(bytes));
}

TEST(BeaconFrame, a_quote_that_is_not_utf8_is_refused_despite_a_valid_checksum) {
    const auto decoded = decode(encoded({0, {}, 0, "abc\xff"}));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), FrameError::not_utf8);
}

TEST(BeaconFrame, longest_quote) {
    const std::string quote(quote_bytes_max, 'q');
    const Bytes bytes = encoded({UINT64_MAX, {255, 255, 255, 255}, 65'535, quote});
    EXPECT_EQ(bytes.size(), limits::datagram_bytes_max);
    EXPECT_EQ(decode(bytes)->quote, quote);
}

TEST(BeaconFrame, default_quote_has_the_length_other_peers_read) { EXPECT_EQ(default_quote.size(), 61u); }

}  // namespace
}  // namespace ringpost::beacon
