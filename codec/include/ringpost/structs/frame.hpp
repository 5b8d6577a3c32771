#pragma once

// The wire format of a struct message. Integers are little-endian:
//
//     offset  bytes
//          0      2   magic, FF FF
//          2      2   message id
//          4      2   size of the whole packet, including these 7 bytes
//          6      1   XOR of all payload bytes, 0 if there are none
//          7    ...   payload
//
// The checksum is weak and covers only the payload: flips of the same bit in two bytes and changes of the id are not
// detected.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/byte_order.hpp>
#include <ringpost/export.hpp>
#include <ringpost/limits.hpp>

namespace ringpost::structs {

using MessageId = std::uint16_t;

inline constexpr std::size_t header_bytes = 7;
inline constexpr std::size_t packet_bytes_max = header_bytes + limits::struct_payload_bytes_max;

static_assert(packet_bytes_max == UINT16_MAX, "the range of the size field");

struct Packet {
    MessageId id = 0;
    std::span<const std::byte> payload;  ///< when decoded: a view of the input
};

/// Why the bytes do not start with a packet, in the order of the checks.
enum class FrameError : std::uint8_t {
    no_magic,    ///< the first two bytes are not FF FF
    past_end,    ///< the header, or the packet according to its size field, is incomplete
    size_small,  ///< the size field is smaller than the header
    checksum,
};

struct Header {
    MessageId id = 0;
    std::uint16_t packet_bytes = 0;  ///< at least header_bytes
    std::byte check{};
};

/// XOR of the bytes of a word.
inline std::byte xor_folded(std::uint64_t word) {
    word ^= word >> 32;
    word ^= word >> 16;
    word ^= word >> 8;
    return static_cast<std::byte>(word);
}

/// XOR of all bytes; 0 if there are none.
RINGPOST_API std::byte xor_of_long(std::span<const std::byte> bytes);
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

/// Decodes the header at the front of `bytes` and checks that they contain the whole packet. Does not read the payload.
/// On error, `header` is unchanged. (An out-parameter, because a std::expected would be assembled and read in memory in
/// pieces of different widths, which costs more than everything else.)
inline std::optional<FrameError> decode_header(std::span<const std::byte> bytes, Header& header) {
    if (bytes.size() < 2 || load_le<std::uint16_t>(bytes.data()) != 0xffff) return FrameError::no_magic;
    if (bytes.size() < header_bytes) return FrameError::past_end;
    const auto packet_bytes = load_le<std::uint16_t>(&bytes[4]);
    if (packet_bytes > bytes.size()) return FrameError::past_end;
    if (packet_bytes < header_bytes) return FrameError::size_small;
    header = {load_le<std::uint16_t>(&bytes[2]), packet_bytes, bytes[6]};
    return std::nullopt;
}

/// Decodes the packet at the front of `bytes`. Ignores what follows it.
RINGPOST_API std::expected<Packet, FrameError> decode(std::span<const std::byte> bytes);

/// Writes the header of a packet with a payload of `payload_bytes` (at most limits::struct_payload_bytes_max) and its
/// XOR. Returns the size of the packet.
inline std::size_t write_header(std::byte* out, MessageId id, std::size_t payload_bytes, std::byte check) {
    const std::size_t size = header_bytes + payload_bytes;
    store_le<std::uint16_t>(out, 0xffff);
    store_le<std::uint16_t>(out + 2, id);
    store_le<std::uint16_t>(out + 4, static_cast<std::uint16_t>(size));
    out[6] = check;
    return size;
}

/// Writes the packet to the front of `out`, which must hold header_bytes + packet.payload.size() bytes. Returns its
/// size.
RINGPOST_API std::size_t encode(const Packet& packet, std::span<std::byte> out);

/// Position of the first two consecutive FF bytes at or after `from`; bytes.size() if there are none.
RINGPOST_API std::size_t find_magic(std::span<const std::byte> bytes, std::size_t from);

}  // namespace ringpost::structs
