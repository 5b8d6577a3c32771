#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost {

/// Base64 with padding (RFC 4648, section 4).
std::string encode_base64(std::span<const std::byte> bytes);

/// Returns nullopt if `text` is not a canonical encoding, as encode_base64 produces it.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace ringpost
