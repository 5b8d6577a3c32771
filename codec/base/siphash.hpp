#pragma once

// The keyed hash of all tables whose keys peers can choose: without the key, collisions cannot be constructed.

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringpost {

/// The 128-bit key. k0 is the first eight bytes of the paper's key, read little-endian, k1 the last eight. It should be
/// generated once per process, outside codec/.
struct SipKey {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

/// SipHash-2-4 of `bytes` with `key`; independent of the host's byte order. `bytes` may be empty. Source: Aumasson and
/// Bernstein, "SipHash: a fast short-input PRF", 2012.
[[nodiscard]] std::uint64_t siphash(const SipKey& key, std::span<const std::byte> bytes);

}  // namespace ringpost
