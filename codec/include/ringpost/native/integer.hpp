#pragma once

// Integers of variable size: 0 to 251 as one byte; 252, 253 or 254 and then 2, 4 or 8 bytes, little-endian. Only the
// shortest form is legal, so that each value has one encoding.

#include <cstddef>
#include <cstdint>

#include <ringpost/byte_order.hpp>

namespace ringpost::native {

inline constexpr std::size_t integer_bytes_max = 9;
inline constexpr std::uint64_t integer_one_byte_max = 251;

/// Bytes that `value` takes.
constexpr std::size_t integer_bytes(std::uint64_t value) {
    if (value <= integer_one_byte_max) return 1;
    if (value <= 0xffff) return 3;
    return value <= 0xffff'ffff ? 5 : 9;
}

/// Bytes that an integer with this first byte takes; 0: no integer starts with it.
constexpr std::size_t integer_bytes_from(std::byte first) {
    constexpr std::uint8_t long_forms[] = {3, 5, 9, 0};
    const auto value = std::to_integer<std::uint8_t>(first);
    return value <= integer_one_byte_max ? 1 : long_forms[value - integer_one_byte_max - 1];
}

/// Writes integer_bytes(value) and returns their end.
inline std::byte* write_integer(std::byte* out, std::uint64_t value) {
    if (value <= integer_one_byte_max) {
        *out = static_cast<std::byte>(value);
        return out + 1;
    }
    if (value <= 0xffff) {
        *out = std::byte{252};
        store_le(out + 1, static_cast<std::uint16_t>(value));
        return out + 3;
    }
    if (value <= 0xffff'ffff) {
        *out = std::byte{253};
        store_le(out + 1, static_cast<std::uint32_t>(value));
        return out + 5;
    }
    *out = std::byte{254};
    store_le(out + 1, value);
    return out + 9;
}

/// Reads an integer that is complete and returns its bytes, or 0 if this is not the shortest form. `size`: what
/// integer_bytes_from() returned for `*at`, at least 1.
inline std::size_t read_integer(const std::byte* at, std::size_t size, std::uint64_t& value) {
    if (size == 1) {
        value = std::to_integer<std::uint64_t>(*at);
        return 1;
    }
    if (size == 3) value = load_le<std::uint16_t>(at + 1);
    if (size == 5) value = load_le<std::uint32_t>(at + 1);
    if (size == 9) value = load_le<std::uint64_t>(at + 1);
    return integer_bytes(value) == size ? size : 0;
}

/// Reads an integer that ends before `end`. Returns its bytes; 0 if it is cut off or not the shortest form.
inline std::size_t read_integer_before(const std::byte* at, const std::byte* end, std::uint64_t& value) {
    if (at >= end) return 0;
    const std::size_t size = integer_bytes_from(*at);
    if (size == 0 || static_cast<std::size_t>(end - at) < size) return 0;
    return read_integer(at, size, value);
}

}  // namespace ringpost::native
