// Decodes the input as it is, and again with a valid checksum. Decoded frames must encode to the same bytes, and the
// result must agree with an independent UTF-8 check.

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/beacon/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::beacon_frame {

using namespace ringpost::beacon;

namespace {

// As defined in RFC 1950, 8.2.
std::uint32_t adler32_by_definition(std::span<const std::byte> bytes) {
    std::uint32_t a = 1, b = 0;
    for (const std::byte byte : bytes) {
        a = (a + std::to_integer<std::uint32_t>(byte)) % 65'521;
        b = (b + a) % 65'521;
    }
    return b << 16 | a;
}

// Decodes each code point and checks that its encoding was the shortest, instead of comparing byte ranges.
bool utf8_by_definition(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<std::uint8_t>(text[i++]);
        const int ones = std::countl_one(lead);
        if (ones == 1 || ones > 4) return false;
        std::uint32_t point = lead & (0xffu >> (ones + 1));
        const std::size_t tail = ones == 0 ? 0 : static_cast<std::size_t>(ones - 1);
        for (std::size_t k = 0; k < tail; ++k, ++i) {
            if (i == text.size() || (text[i] & 0xc0) != 0x80) return false;
            point = point << 6 | (static_cast<std::uint8_t>(text[i]) & 0x3fu);
        }
        constexpr std::uint32_t shortest[] = {0, 0x80, 0x800, 0x10000};
        if (point < shortest[tail] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    }
    return true;
}

void check_round_trip(const Frame& frame, const Bytes& bytes) {
    Bytes again(bytes.size());
    RINGPOST_CHECK(encode(frame, again) == bytes.size());
    RINGPOST_CHECK(again == bytes);
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, limits::datagram_bytes_max);
    Bytes bytes = script.bytes(size);
    if (const auto frame = decode(bytes)) check_round_trip(*frame, bytes);
    if (bytes.size() < header_bytes) {
        RINGPOST_CHECK(decode(bytes).error() == FrameError::too_short);
        return 0;
    }
    store_be(bytes.data(), adler32_by_definition(std::span(bytes).subspan(4)));
    const std::string_view quote(reinterpret_cast<const char*>(bytes.data()) + header_bytes,
                                 bytes.size() - header_bytes);
    const auto frame = decode(bytes);
    RINGPOST_CHECK(frame.has_value() == utf8_by_definition(quote));
    if (frame)
        check_round_trip(*frame, bytes);
    else
        RINGPOST_CHECK(frame.error() == FrameError::not_utf8);
    return 0;
}

const Target registered("beacon/frame", run);

}  // namespace
}  // namespace ringpost::fuzz::beacon_frame
