// Three implementations of CRC-32C with the same result; the best that the processor can run is chosen at the start.
//
// Portable: eight table lookups take eight bytes at a time (slicing-by-8, Kounavis & Berry 2005).
// Folding, SSE4.2 and PCLMULQDQ: short input takes the crc32 instruction, eight bytes every three cycles in one
// dependency chain; the processor overlaps the chains of consecutive datagrams. Longer input is folded in four lanes of
// 128 bits with carry-less multiplication (Gopal et al., Intel 2009), which a single crc32 chain would leave unused;
// the remaining 16 bytes use the crc32 instruction. Wide folding, AVX-512 and VPCLMULQDQ: the same with four lanes of
// 512 bits.

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
constexpr std::uint64_t fold_2048_low = fold_constant(2048 + 32), fold_2048_high = fold_constant(2048 - 32);
constexpr std::uint64_t fold_512_low = fold_constant(512 + 32), fold_512_high = fold_constant(512 - 32);
constexpr std::uint64_t fold_128_low = fold_constant(128 + 32), fold_128_high = fold_constant(128 - 32);
constexpr std::size_t fold_bytes_min = 192;
constexpr std::size_t fold_wide_bytes_min = 128;

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

/// The CRC of four lanes of 128 bits, the earliest first, and of `count` bytes after them.
__attribute__((target("sse4.2,pclmul"))) inline std::uint32_t advance_lanes(__m128i a, __m128i b, __m128i c, __m128i d,
                                                                            const std::byte* at, std::size_t count) {
    const __m128i by_128 = _mm_set_epi64x(static_cast<long long>(fold_128_high), static_cast<long long>(fold_128_low));
    a = fold(fold(fold(a, by_128, b), by_128, c), by_128, d);
    std::byte rest[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), a);
    return advance_crc(advance_crc(0, rest, sizeof rest), at, count);
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t advance_folding(std::uint32_t state, const std::byte* at,
                                                                       std::size_t count) {
    if (count < fold_bytes_min) return advance_crc(state, at, count);
    auto load = [&](std::size_t lane) __attribute__((target("sse4.2,pclmul"))) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + lane);
    };
    const __m128i by_512 = _mm_set_epi64x(static_cast<long long>(fold_512_high), static_cast<long long>(fold_512_low));
    __m128i a = _mm_xor_si128(load(0), _mm_cvtsi32_si128(static_cast<int>(state)));
    __m128i b = load(1), c = load(2), d = load(3);
    for (at += 64, count -= 64; count >= 64; at += 64, count -= 64) {
        a = fold(a, by_512, load(0));
        b = fold(b, by_512, load(1));
        c = fold(c, by_512, load(2));
        d = fold(d, by_512, load(3));
    }
    return advance_lanes(a, b, c, d, at, count);
}

#define RINGPOST_WIDE __attribute__((target("sse4.2,pclmul,avx512f,avx512vl,vpclmulqdq")))

RINGPOST_WIDE inline __m512i load_wide(const std::byte* at) { return _mm512_loadu_si512(at); }

RINGPOST_WIDE inline __m512i constants_wide(std::uint64_t high, std::uint64_t low) {
    const auto even = static_cast<long long>(low), odd = static_cast<long long>(high);
    return _mm512_set_epi64(odd, even, odd, even, odd, even, odd, even);
}

RINGPOST_WIDE inline __m512i fold_wide(__m512i lane, __m512i constants, __m512i next) {
    constexpr int exclusive_or = 0x96;
    const __m512i low = _mm512_clmulepi64_epi128(lane, constants, 0x00);
    const __m512i high = _mm512_clmulepi64_epi128(lane, constants, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, exclusive_or);
}

RINGPOST_WIDE std::uint32_t advance_folding_wide(std::uint32_t state, const std::byte* at, std::size_t count) {
    if (count < fold_wide_bytes_min) return advance_crc(state, at, count);
    const __m512i by_2048 = constants_wide(fold_2048_high, fold_2048_low);
    const __m512i by_512 = constants_wide(fold_512_high, fold_512_low);
    __m512i first = _mm512_xor_si512(load_wide(at), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
    at += 64, count -= 64;
    if (count >= 192) {
        __m512i second = load_wide(at), third = load_wide(at + 64), fourth = load_wide(at + 128);
        for (at += 192, count -= 192; count >= 256; at += 256, count -= 256) {
            first = fold_wide(first, by_2048, load_wide(at));
            second = fold_wide(second, by_2048, load_wide(at + 64));
            third = fold_wide(third, by_2048, load_wide(at + 128));
            fourth = fold_wide(fourth, by_2048, load_wide(at + 192));
        }
        first = fold_wide(fold_wide(fold_wide(first, by_512, second), by_512, third), by_512, fourth);
    }
    for (; count >= 64; at += 64, count -= 64) first = fold_wide(first, by_512, load_wide(at));
    __m128i lanes[4];
    _mm512_storeu_si512(lanes, first);
    return advance_lanes(lanes[0], lanes[1], lanes[2], lanes[3], at, count);
}

#endif

using Advance = std::uint32_t (*)(std::uint32_t, const std::byte*, std::size_t);

template <Advance advance>
std::uint32_t complete(std::span<const std::byte> bytes) {
    return ~advance(~0u, bytes.data(), bytes.size());
}

constexpr Crc32cImplementation implementations[] = {
    {"portable", complete<advance_portable>},
#if defined(__x86_64__)
    {"folding", complete<advance_folding>},
    {"wide_folding", complete<advance_folding_wide>},
#endif
};

/// a * b modulo the polynomial, mirrored.
std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
    std::uint32_t product = 0;
    for (; a != 0; a <<= 1, b = shift_one_bit(b))
        if ((a & 0x80000000) != 0) product ^= b;
    return product;
}

std::uint32_t power_of_x(std::size_t exponent) {
    std::uint32_t result = 0x80000000;
    for (std::uint32_t square = 0x40000000; exponent > 0; exponent >>= 1, square = multiply(square, square))
        if ((exponent & 1) != 0) result = multiply(result, square);
    return result;
}

/// How many of the implementations the processor can run.
std::size_t runnable() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return 1;
    const bool wide =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq");
    return wide ? 3 : 2;
#else
    return 1;
#endif
}

// Initialised to the portable version, so that a CRC computed in another static initialiser is correct as well.
constinit auto* fastest_crc = implementations[0].compute;
[[maybe_unused]] const bool fastest_chosen = (fastest_crc = implementations[runnable() - 1].compute, true);

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) { return fastest_crc(bytes); }

std::span<const Crc32cImplementation> crc32c_implementations() { return std::span(implementations).first(runnable()); }

void complete_linear_table(std::span<std::uint32_t, 256> table) {
    table[0] = 0;
    for (std::uint32_t byte = 1; byte < 256; ++byte) table[byte] = table[byte & (byte - 1)] ^ table[byte & -byte];
}

Crc32cSuffix::Crc32cSuffix(std::span<const std::byte> suffix) : suffix_crc_(crc32c(suffix)) {
    // Appending zero bytes multiplies by a power of x. Bit 31 of a mirrored value is x^0, and each bit below it is one
    // more power.
    std::uint32_t column = power_of_x(8 * suffix.size());
    for (std::size_t table = 4; table-- > 0;) {
        for (std::uint32_t bit = 0x80; bit > 0; bit >>= 1) {
            tables_[table][bit] = column;
            column = shift_one_bit(column);
        }
        complete_linear_table(tables_[table]);
    }
}

}  // namespace ringpost
