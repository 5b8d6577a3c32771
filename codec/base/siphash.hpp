#pragma once

// The keyed hash for every table whose keys a stranger can choose: without the key nobody can aim at one slot.

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringpost {

/// The 128-bit secret of one hash function. k0 is the first eight bytes of the paper's key read little-endian, k1
/// the last eight. Draw it once per process, outside codec/.
struct SipKey {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

/// SipHash-2-4 of `bytes` under `key`; the same value on every host, whatever its byte order. An empty span is
/// legal. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
[[nodiscard]] std::uint64_t siphash(const SipKey& key, std::span<const std::byte> bytes);

}  // namespace ringpost
