#pragma once

// Loads and stores integers in a given byte order. `at` must point to enough bytes; the caller checks.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace ringpost {

template <std::endian Order, std::unsigned_integral T>
inline T reordered(T value) {
    if constexpr (Order == std::endian::native || sizeof(T) == 1) return value;
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <std::unsigned_integral T>
inline T load_be(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return reordered<std::endian::big>(value);
}

template <std::unsigned_integral T>
inline T load_le(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return reordered<std::endian::little>(value);
}

template <std::unsigned_integral T>
inline void store_be(std::byte* at, T value) {
    value = reordered<std::endian::big>(value);
    std::memcpy(at, &value, sizeof value);
}

template <std::unsigned_integral T>
inline void store_le(std::byte* at, T value) {
    value = reordered<std::endian::little>(value);
    std::memcpy(at, &value, sizeof value);
}

}  // namespace ringpost
