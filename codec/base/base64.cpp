// Three bytes are encoded as four characters of six bits each. One or two remaining bytes are padded with zero bits,
// and the output with `=`.

#include "codec/base/base64.hpp"

#include <array>
#include <cstdint>

namespace ringpost {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

constexpr std::array<std::uint8_t, 256> digit_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

}  // namespace

std::string encode_base64(std::span<const std::byte> bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (at + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[at + k]) : 0u);
        const std::size_t meant = std::min<std::size_t>(bytes.size() - at, 3) + 1;
        for (unsigned k = 0; k < 4; ++k) text += k < meant ? alphabet[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::vector<std::byte>> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    text.remove_suffix(padding);
    std::vector<std::byte> bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    unsigned held_bits = 0;
    for (const char character : text) {
        const std::uint8_t digit = digit_values[static_cast<unsigned char>(character)];
        if (digit == no_digit) return std::nullopt;
        held = held << 6 | digit;
        held_bits += 6;
        if (held_bits < 8) continue;
        held_bits -= 8;
        bytes.push_back(static_cast<std::byte>(held >> held_bits));
        held &= (1u << held_bits) - 1;
    }
    if (held != 0) return std::nullopt;  // padding bits must be zero
    return bytes;
}

}  // namespace ringpost
