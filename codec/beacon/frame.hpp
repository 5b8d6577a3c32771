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

#include <ringpost/beacon/types.hpp>

namespace ringpost::beacon {

struct Frame {
    std::uint64_t unix_s = 0;
    std::array<std::uint8_t, 4> ipv4{};
    std::uint16_t port = 0;
    std::string_view quote;  ///< when decoded: a view of the input
    bool operator==(const Frame&) const = default;
};

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes);

/// Writes the frame to the front of `out`, which must hold header_bytes + quote.size() bytes. Returns its length. The
/// quote must not exceed quote_bytes_max.
std::size_t encode(const Frame& frame, std::span<std::byte> out);

}  // namespace ringpost::beacon
