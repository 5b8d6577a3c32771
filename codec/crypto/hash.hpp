#pragma once

// SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104) and HKDF as Noise defines it, by libsodium.

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

namespace ringpost::crypto {

inline constexpr std::size_t digest_bytes = 32;
using Digest = std::array<std::byte, digest_bytes>;

/// Of the parts, one behind the other.
Digest sha256(std::initializer_list<std::span<const std::byte>> parts);
Digest hmac_sha256(std::span<const std::byte> key, std::initializer_list<std::span<const std::byte>> parts);

/// HKDF (Noise revision 34, section 4.3): fills `outputs`, of which there are two or three. An output may be the
/// chaining key itself.
void hkdf(const Digest& chaining_key, std::span<const std::byte> material, std::initializer_list<Digest*> outputs);

/// Compares without a branch that depends on the content. Both must have one size.
[[nodiscard]] bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

/// Overwrites secrets, whatever the optimiser thinks of it.
void wipe(std::span<std::byte> secret);

}  // namespace ringpost::crypto
