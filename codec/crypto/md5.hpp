#pragma once

// MD5 (RFC 1321) and HMAC-MD5 (RFC 2104), which RADIUS requires. Both are broken as protection; nothing else uses them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringpost {

using Md5Digest = std::array<std::byte, 16>;

class Md5 {
  public:
    Md5& add(std::span<const std::byte> bytes);
    /// Call it once, at the end.
    Md5Digest digest();

  private:
    void add_block(const std::byte* block);

    std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    std::array<std::byte, 64> pending_{};
    std::uint64_t bytes_ = 0;
};

Md5Digest hmac_md5(std::span<const std::byte> key, std::span<const std::byte> bytes);

}  // namespace ringpost
