#pragma once

// How single fields of a payload are written.

#include <cstddef>
#include <cstdint>

#include <ringpost/time.hpp>

namespace ringpost::traffic {

inline constexpr std::size_t decimal_digits_max = 20;
/// 2026-11-30T20:15:00.123456Z
inline constexpr std::size_t rfc3339_bytes = 27, rfc3339_fraction_at = 20;

/// Writes the lowest `count` decimal digits of `value`, with leading zeros.
void write_digits(std::byte* out, std::size_t count, std::uint64_t value);
/// Writes the lowest 32 bits of `value` as 8 hex digits.
void write_hex_32(std::byte* out, std::uint64_t value);
/// RFC 3339, 5.6, with six digits of a second, the most that RFC 5424, 6.2.3 permits.
void write_rfc3339(std::byte* out, Duration since_1970);

}  // namespace ringpost::traffic
