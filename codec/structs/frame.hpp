#pragma once

// One struct message on the wire. Integers little-endian:
//
//     offset  bytes
//          0      2   magic, FF FF
//          2      2   message id
//          4      2   size of the whole packet, these 7 bytes included
//          6      1   XOR of every byte of the payload, 0 when there is none
//          7    ...   payload
//
// The check is weak, and covers the payload alone: two flips of the same bit go unseen, and so does any change of the
// id.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "codec/base/bytes.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::structs {

using MessageId = std::uint16_t;

inline constexpr std::size_t header_bytes = 7;
inline constexpr std::size_t packet_bytes_max = header_bytes + limits::struct_payload_bytes_max;

static_assert(packet_bytes_max == UINT16_MAX, "the most that the size field can say");

struct Packet {
    MessageId id = 0;
    std::span<const std::byte> payload;  ///< decoded: a view of the bytes given
};

/// Why there is no packet at the front of some bytes, in the order in which it is looked for.
enum class FrameError : std::uint8_t {
    no_magic,    ///< the first two bytes are not FF FF
    past_end,    ///< the header, or the size it tells, ends behind the last byte
    size_small,  ///< the size is less than the header's own
    checksum,
};

struct Header {
    MessageId id = 0;
    std::uint16_t packet_bytes = 0;  ///< header_bytes or more
    std::byte check{};
};

/// The XOR of the word's bytes.
inline std::byte xor_folded(std::uint64_t word) {
    word ^= word >> 32;
    word ^= word >> 16;
    word ^= word >> 8;
    return static_cast<std::byte>(word);
}

/// The XOR of all bytes; 0 of none.
std::byte xor_of_long(std::span<const std::byte> bytes);
inline std::byte xor_of(std::span<const std::byte> bytes) {
    if (bytes.size() >= 64) return xor_of_long(bytes);
    const std::byte* at = bytes.data();
    std::uint64_t folded = 0;
    for (std::size_t words = bytes.size() / 8; words > 0; --words, at += 8) folded ^= load_le<std::uint64_t>(at);
    if ((bytes.size() & 4) != 0) folded ^= load_le<std::uint32_t>(at), at += 4;
    if ((bytes.size() & 2) != 0) folded ^= load_le<std::uint16_t>(at), at += 2;
    if ((bytes.size() & 1) != 0) folded ^= std::to_integer<std::uint64_t>(*at);
    return xor_folded(folded);
}

/// Reads the header of the packet at the front of `bytes`, which then holds all of the packet; its payload is not
/// looked at. Says why there is none, and leaves `header` as it is. (An expected would be put together and taken apart
/// in memory in pieces of different widths, which costs more than all the rest.)
inline std::optional<FrameError> decode_header(std::span<const std::byte> bytes, Header& header) {
    if (bytes.size() < 2 || load_le<std::uint16_t>(bytes.data()) != 0xffff) return FrameError::no_magic;
    if (bytes.size() < header_bytes) return FrameError::past_end;
    const auto packet_bytes = load_le<std::uint16_t>(&bytes[4]);
    if (packet_bytes > bytes.size()) return FrameError::past_end;
    if (packet_bytes < header_bytes) return FrameError::size_small;
    header = {load_le<std::uint16_t>(&bytes[2]), packet_bytes, bytes[6]};
    return std::nullopt;
}

/// The packet at the front of `bytes`; what follows it is not looked at.
std::expected<Packet, FrameError> decode(std::span<const std::byte> bytes);

/// Writes the header, of a packet with so long a payload (at most limits::struct_payload_bytes_max) and its XOR, and
/// returns the packet's size.
inline std::size_t write_header(std::byte* out, MessageId id, std::size_t payload_bytes, std::byte check) {
    const std::size_t size = header_bytes + payload_bytes;
    store_le<std::uint16_t>(out, 0xffff);
    store_le<std::uint16_t>(out + 2, id);
    store_le<std::uint16_t>(out + 4, static_cast<std::uint16_t>(size));
    out[6] = check;
    return size;
}

/// Writes the packet at the front of `out`, which holds header_bytes + packet.payload.size(), and returns its size.
std::size_t encode(const Packet& packet, std::span<std::byte> out);

/// The first offset not below `from` at which two bytes FF stand, or bytes.size() when there is none.
std::size_t find_magic(std::span<const std::byte> bytes, std::size_t from);

}  // namespace ringpost::structs
