#include "apps/cli/printable.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "codec/base/utf8.hpp"

namespace ringpost::apps {
namespace {

/// Characters that move the cursor, start an escape sequence or change the order of what is around them.
constexpr struct {
    char32_t first, last;
} unprintable[] = {
    {0x00, 0x1f},      // C0
    {0x7f, 0x9f},      // DEL, C1
    {0x061c, 0x061c},  // Arabic letter mark
    {0x200e, 0x200f},  // left-to-right and right-to-left mark
    {0x2028, 0x202e},  // separators, embeddings, overrides
    {0x2066, 0x2069},  // isolates
};

struct Character {
    std::size_t bytes;
    char32_t code;
    bool valid;  ///< false: one byte that is not UTF-8
};

std::uint8_t byte_at(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

Character first_character(std::string_view text) {
    const std::uint8_t lead = byte_at(text, 0);
    const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!is_utf8(text.substr(0, bytes))) return {1, lead, false};
    char32_t code = bytes == 1 ? lead : lead & (0x7fu >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) code = code << 6 | (byte_at(text, i) & 0x3fu);
    return {bytes, code, true};
}

bool is_printable(const Character& character) {
    return character.valid && std::none_of(std::begin(unprintable), std::end(unprintable), [&](const auto& range) {
               return range.first <= character.code && character.code <= range.last;
           });
}

std::string hex_escapes(std::string_view bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) out += fmt::format("\\x{:02x}", byte_at(bytes, i));
    return out;
}

/// Replaces each character that must not be printed by escape(its bytes, its code).
template <class Escape>
std::string replace_unprintable(std::string_view text, const Escape& escape) {
    std::string out;
    for (std::size_t bytes = 0; !text.empty(); text.remove_prefix(bytes)) {
        const Character character = first_character(text);
        bytes = character.bytes;
        if (is_printable(character))
            out += text.substr(0, bytes);
        else
            out += escape(text.substr(0, bytes), character.code);
    }
    return out;
}

}  // namespace

std::size_t printable_bytes(std::string_view text) {
    const Character character = first_character(text);
    return is_printable(character) ? character.bytes : 0;
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\\', begin), text.size());
        out += printable_line(text.substr(begin, end - begin));
        if (end < text.size()) out += hex_escapes(text.substr(end, 1));
        begin = end + 1;
    }
    return out;
}

std::string printable_line(std::string_view line) {
    return replace_unprintable(line, [](std::string_view bytes, char32_t) { return hex_escapes(bytes); });
}

std::string printable_json(std::string_view line) {
    return replace_unprintable(line, [](std::string_view, char32_t code) {
        return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
    });
}

std::string hex_text(std::string_view bytes) {
    std::string out;
    for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return out;
}

}  // namespace ringpost::apps
