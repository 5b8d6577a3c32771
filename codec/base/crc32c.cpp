// Three implementations of CRC-32C with the same result.
//
// Portable: eight table lookups take eight bytes at a time (slicing-by-8, Kounavis & Berry 2005).
// Hardware, short input: the crc32 instruction, eight bytes every three cycles in one dependency chain; the processor
// overlaps the chains of consecutive datagrams.
// Hardware, long input: four 128-bit lanes are folded with carry-less multiplication (Gopal et al., Intel 2009), which
// a single crc32 chain would leave unused; the remaining 16 bytes use the crc32 instruction.

#include "codec/base/crc32c.hpp"

#include <array>

#include "codec/base/bytes.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringpost {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // 0x1edc6f41 with its bits mirrored

constexpr std::uint32_t shift_one_bit(std::uint32_t value) { return (value >> 1) ^ ((value & 1) ? polynomial : 0); }

constexpr auto slices = [] {
    std::array<std::array<std::uint32_t, 256>, 8> out{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = shift_one_bit(value);
        out[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t i = 0; i < 256; ++i) out[k][i] = (out[k - 1][i] >> 8) ^ out[0][out[k - 1][i] & 0xff];
    return out;
}();

std::uint32_t advance_portable(std::uint32_t state, const std::byte* at, std::size_t count) {
    for (; count >= 8; at += 8, count -= 8) {
        std::uint64_t word = load_le<std::uint64_t>(at) ^ state;
        state = 0;
        for (std::size_t k = 0; k < 8; ++k) state ^= slices[7 - k][(word >> (8 * k)) & 0xff];
    }
    for (; count > 0; ++at, --count)
        state = (state >> 8) ^ slices[0][(state ^ std::to_integer<std::uint32_t>(*at)) & 0xff];
    return state;
}

#if defined(__x86_64__)

/// x^(bits - 1) modulo the polynomial, mirrored. The carry-less product of two mirrored values is one bit short; the
/// left shift corrects this.
constexpr std::uint64_t fold_constant(unsigned bits) {
    std::uint32_t value = 0x80000000;  // x^0, mirrored
    for (unsigned i = 0; i < bits; ++i) value = shift_one_bit(value);
    return std::uint64_t{value} << 1;
}

// To fold a 128-bit lane by D bits: multiply its low half, the earlier bytes, by x^(D+32) and its high half by
// x^(D-32).
constexpr std::uint64_t fold_512_low = fold_constant(512 + 32), fold_512_high = fold_constant(512 - 32);
constexpr std::uint64_t fold_128_low = fold_constant(128 + 32), fold_128_high = fold_constant(128 - 32);
constexpr std::size_t fold_bytes_min = 192;

__attribute__((target("sse4.2"))) inline std::uint32_t advance_crc(std::uint32_t state, const std::byte* at,
                                                                   std::size_t count) {
    std::uint64_t wide = state;
    for (; count >= 8; at += 8, count -= 8) wide = _mm_crc32_u64(wide, load_le<std::uint64_t>(at));
    auto narrow = static_cast<std::uint32_t>(wide);
    if (count >= 4) {
        narrow = _mm_crc32_u32(narrow, load_le<std::uint32_t>(at));
        at += 4;
        count -= 4;
    }
    for (; count > 0; ++at, --count) narrow = _mm_crc32_u8(narrow, std::to_integer<std::uint8_t>(*at));
    return narrow;
}

__attribute__((target("sse4.2,pclmul"))) inline __m128i fold(__m128i lane, __m128i constants, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(lane, constants, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t advance_folding(std::uint32_t state, const std::byte* at,
                                                                       std::size_t count) {
    if (count < fold_bytes_min) return advance_crc(state, at, count);
    auto load = [&](std::size_t lane) __attribute__((target("sse4.2,pclmul"))) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + lane);
    };
    const __m128i by_512 = _mm_set_epi64x(static_cast<long long>(fold_512_high), static_cast<long long>(fold_512_low));
    const __m128i by_128 = _mm_set_epi64x(static_cast<long long>(fold_128_high), static_cast<long long>(fold_128_low));
    __m128i a = _mm_xor_si128(load(0), _mm_cvtsi32_si128(static_cast<int>(state)));
    __m128i b = load(1), c = load(2), d = load(3);
    for (at += 64, count -= 64; count >= 64; at += 64, count -= 64) {
        a = fold(a, by_512, load(0));
        b = fold(b, by_512, load(1));
        c = fold(c, by_512, load(2));
        d = fold(d, by_512, load(3));
    }
    a = fold(fold(fold(a, by_128, b), by_128, c), by_128, d);
    std::byte rest[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), a);
    return advance_crc(advance_crc(0, rest, sizeof rest), at, count);
}

#endif

using Advance = std::uint32_t (*)(std::uint32_t, const std::byte*, std::size_t);

Advance pick_advance() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) return advance_folding;
#endif
    return advance_portable;
}

// Initialised to the portable version, so that a CRC computed in another static initialiser is correct as well.
constinit Advance advance = advance_portable;
[[maybe_unused]] const bool asked = (advance = pick_advance(), true);

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) { return ~advance(~0u, bytes.data(), bytes.size()); }

std::uint32_t crc32c_portable(std::span<const std::byte> bytes) {
    return ~advance_portable(~0u, bytes.data(), bytes.size());
}

Crc32cSuffix::Crc32cSuffix(std::span<const std::byte> suffix) : suffix_crc_(crc32c(suffix)) {
    // Column by column: the effect of appending as many zero bytes as the suffix has on each bit of a CRC.
    std::uint32_t columns[32];
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
        std::uint32_t value = 1u << bit;
        for (std::size_t i = 0; i < suffix.size(); ++i) value = (value >> 8) ^ slices[0][value & 0xff];
        columns[bit] = value;
    }
    for (std::size_t table = 0; table < 4; ++table)
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t value = 0;
            for (std::uint32_t bit = 0; bit < 8; ++bit)
                if ((byte >> bit & 1) != 0) value ^= columns[table * 8 + bit];
            tables_[table][byte] = value;
        }
}

}  // namespace ringpost
