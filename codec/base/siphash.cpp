// SipHash-2-4. Four 64-bit words are initialised from the key and four constants. Each eight bytes of input, read
// little-endian, are XORed into v3, mixed by two rounds, and XORed into v0. The last block holds the remaining zero to
// seven bytes and the length modulo 256 in its top byte, so inputs that differ only in trailing zeros have different
// hashes. After XORing 0xff into v2 and four more rounds, the hash is the XOR of the four words. Names follow the
// paper.

#include "codec/base/siphash.hpp"

#include <bit>
#include <cstring>

namespace ringpost {
namespace {

struct State {
    std::uint64_t v0, v1, v2, v3;
};

inline void sip_round(State& s) {
    s.v0 += s.v1;
    s.v2 += s.v3;
    s.v1 = std::rotl(s.v1, 13) ^ s.v0;
    s.v3 = std::rotl(s.v3, 16) ^ s.v2;
    s.v0 = std::rotl(s.v0, 32);
    s.v2 += s.v1;
    s.v0 += s.v3;
    s.v1 = std::rotl(s.v1, 17) ^ s.v2;
    s.v3 = std::rotl(s.v3, 21) ^ s.v0;
    s.v2 = std::rotl(s.v2, 32);
}

inline void compress(State& s, std::uint64_t block) {
    s.v3 ^= block;
    sip_round(s);
    sip_round(s);
    s.v0 ^= block;
}

inline std::uint64_t load_little_endian(const std::byte* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = std::byteswap(word);
    return word;
}

}  // namespace

std::uint64_t siphash(const SipKey& key, std::span<const std::byte> bytes) {
    State s{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
            key.k1 ^ 0x7465646279746573};

    std::uint64_t last_block = std::uint64_t{bytes.size()} << 56;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) compress(s, load_little_endian(bytes.data()));
    for (std::size_t i = 0; i < bytes.size(); ++i) last_block |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    compress(s, last_block);

    s.v2 ^= 0xff;
    for (int round = 0; round < 4; ++round) sip_round(s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace ringpost
