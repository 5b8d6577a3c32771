#pragma once

// The wire format of a beacon. Integers are big-endian:
//
//     offset  bytes
//          0      4   Adler-32 (RFC 1950, 8.2) of all following bytes
//          4      8   Unix time in whole seconds
//         12      4   IPv4 address on which the sender listens
//         16      2   UDP port on which the sender listens
//         18    ...   quote, UTF-8, to the end of the datagram

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "codec/base/limits.hpp"

namespace ringpost::beacon {

inline constexpr std::size_t header_bytes = 18;
inline constexpr std::size_t quote_bytes_max = limits::datagram_bytes_max - header_bytes;
inline constexpr std::string_view default_quote = "\"It always seems impossible until it's done\" - Nelson Mandela";

struct Frame {
    std::uint64_t unix_s = 0;
    std::array<std::uint8_t, 4> ipv4{};
    std::uint16_t port = 0;
    std::string_view quote;  ///< when decoded: a view of the input
    bool operator==(const Frame&) const = default;
};

enum class FrameError : std::uint8_t { too_short, checksum, not_utf8 };

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes);

/// Writes the frame to the front of `out`, which must hold header_bytes + quote.size() bytes. Returns its length. The
/// quote must not exceed quote_bytes_max.
std::size_t encode(const Frame& frame, std::span<std::byte> out);

}  // namespace ringpost::beacon
