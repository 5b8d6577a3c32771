// Most text is ASCII: eight bytes are tested at once, and only the rest and non-ASCII bytes are decoded.

#include "codec/base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace ringpost {
namespace {

constexpr std::uint64_t high_bits = 0x8080808080808080;

bool is_ascii_word(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return (word & high_bits) == 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        if (text.size() - i >= 8 && is_ascii_word(&text[i])) {
            i += 8;
            continue;
        }
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t more = lead < 0x80                   ? 0
                                 : lead >= 0xc2 && lead < 0xe0 ? 1
                                 : (lead & 0xf0) == 0xe0       ? 2
                                 : lead >= 0xf0 && lead < 0xf5 ? 3
                                                               : 4;
        if (more == 4 || text.size() - i <= more) return false;
        // Only the range of the second byte depends on the first; this excludes overlong forms and surrogates.
        const auto second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const auto second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        for (std::size_t k = 1; k <= more; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if (byte < (k == 1 ? second_min : 0x80) || byte > (k == 1 ? second_max : 0xbf)) return false;
        }
        i += more + 1;
    }
    return true;
}

}  // namespace ringpost
