#pragma once

// MD5 (RFC 1321) and HMAC-MD5 (RFC 2104), which RADIUS requires, by OpenSSL. Both are broken as protection; nothing
// else uses them.

#include <array>
#include <cstddef>
#include <span>

namespace ringpost::crypto {

using Md5Digest = std::array<std::byte, 16>;

/// False where OpenSSL is set up without MD5, as by FIPS 140. The functions below must not be called then.
bool has_md5();

Md5Digest md5(std::span<const std::byte> bytes);
Md5Digest hmac_md5(std::span<const std::byte> key, std::span<const std::byte> bytes);

}  // namespace ringpost::crypto
