#pragma once

// The packets of the native transport, version 1: the only file pair that knows where their fields are. Integers are
// little-endian. Two bits of the first byte tell the forms apart: bit 6 is set in both, bit 7 in long packets alone.
//
//     short packet, everything after the handshake
//     0      1  bit 7 = 0, bit 6 = 1, bit 5 key phase, bits 4-0 random and ignored
//     1      1  shard, chosen by whoever issued the id
//     2      6  connection id, issued by the receiver
//     8      4  packet number, low 32 of 64 bits
//     12     n  frames, sealed
//     12+n  16  tag; 4 when insecure

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ringpost::native {

/// What its issuer finds a connection by: the shard (an index of a socket that shares its port, or of an engine), which
/// a steering program of the kernel can read, and 48 random bits. Bytes as on the wire, without padding.
struct Id {
    std::uint8_t shard = 0;
    std::array<std::byte, 6> random{};
    bool operator==(const Id&) const = default;
};

inline constexpr std::size_t id_bytes = 7;
static_assert(sizeof(Id) == id_bytes);

enum class Form : std::uint8_t {
    foreign,  ///< not of this transport
    short_packet,
    long_packet,
};

/// By the first byte alone. An empty datagram is foreign.
Form form_of(std::span<const std::byte> datagram);

struct ShortHeader {
    Id id;
    std::uint32_t number = 0;  ///< low half of the packet number
    bool key_phase = false;
    std::uint8_t random = 0;  ///< the five ignored bits; only these are written
    bool operator==(const ShortHeader&) const = default;
};

inline constexpr std::size_t short_header_bytes = 12;

/// Writes short_header_bytes to `out`.
void write_short_header(std::byte* out, const ShortHeader& header);

/// Returns nullopt if the datagram is not a short packet or ends within the header.
std::optional<ShortHeader> parse_short_header(std::span<const std::byte> datagram);

/// The packet number with the low half `low` that is closest to `expected`, the successor of the highest number
/// received (RFC 9000, appendix A.3). A number is found as long as less than 2^31 packets overtake it.
std::uint64_t full_number(std::uint64_t expected, std::uint32_t low);

}  // namespace ringpost::native
