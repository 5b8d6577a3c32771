#pragma once

// The packets of the native transport, version 1: the only file pair that knows where their fields are. Integers are
// little-endian. Two bits of the first byte distinguish the forms: bit 6 is set in both, bit 7 in long packets alone.
//
//     short packet, everything after the handshake
//     0      1  bit 7 = 0, bit 6 = 1, bit 5 key phase, bits 4-0 random and ignored
//     1      1  shard, chosen by the issuer of the id
//     2      6  connection id, issued by the receiver
//     8      4  packet number, low 32 of 64 bits
//     12     n  frames, sealed
//     12+n  16  tag; 4 when insecure
//
//     every long packet
//     0      1  type: c1 Init, c2 Response, c3 Cookie, c4 Versions, c5 Reset
//     1      1  version
//     2      1  pattern (crypto::Pattern)
//     3      1  suite (crypto::Suite)
//     4      4  random and ignored, but authenticated
//     8      7  shard and id of the sender; zeros if it keeps no state
//     15     1  zero
//
//     Init, 1,200 bytes                          Response, at most 300 bytes
//     16     8  which key of the server is meant  16     7  the initiator's shard and id
//     24    16  cookie, or zeros                  23     1  zero
//     40    16  mac                               24     2  length of the Noise message
//     56     2  length of the Noise message       26     n  the second Noise message
//     58     n  the first Noise message
//     58+n      zeros
//
//     Cookie, 56 bytes                           Versions, 56 bytes
//     16     7  the initiator's shard and id      16     7  the initiator's shard and id
//     23     1  zero                              23     1  zero
//     24    16  cookie                            24     1  count, 1 to 15
//     40    16  mac                               25    15  versions, then zeros
//                                                 40    16  mac
//     Reset, 40 to 63 bytes
//     16     7  the shard and id in the short packet that it answers
//     23     1  zero
//     24    16  token
//     40        random
//
// A mac covers bytes 0 to 39 and, in an Init, the Noise message. It and bytes 0, 1 and 8 to 15 are where they are in
// every version, so that peers of different versions find out that they differ.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <variant>

namespace ringpost::native {

/// What its issuer finds a connection by: the shard (an index of a socket that shares its port, or of an engine), which
/// a steering program of the kernel can read, and 48 random bits. Bytes as on the wire, without padding.
struct Id {
    std::uint8_t shard = 0;
    std::array<std::byte, 6> random{};
    bool operator==(const Id&) const = default;
};

inline constexpr std::uint8_t version_1 = 1;

inline constexpr std::size_t id_bytes = 7;
static_assert(sizeof(Id) == id_bytes);

enum class Form : std::uint8_t {
    foreign,  ///< not of this transport
    short_packet,
    long_packet,
};

/// By the first byte alone. An empty datagram is foreign.
Form form_of(std::span<const std::byte> datagram);
/// The bits of the first byte that distinguish the forms, and those of a short packet, whose second byte is a shard.
inline constexpr std::byte form_mask{0xc0}, short_form{0x40};

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

enum class LongType : std::uint8_t { init = 0xc1, response = 0xc2, cookie = 0xc3, versions = 0xc4, reset = 0xc5 };

/// Why a long packet cannot be read.
enum class PacketError : std::uint8_t {
    too_short,
    wrong_size,  ///< not the size that its type has
    unknown_type,
    unknown_version,  ///< of anything but an Init, whose fixed parts are read in any version
    not_zero,         ///< a byte that must be zero is not
    bad_length,       ///< the Noise message ends behind the packet, or there is none
    bad_count,        ///< of versions
};

using KeyId = std::array<std::byte, 8>;
using Cookie = std::array<std::byte, 16>;
using Mac = std::array<std::byte, 16>;
using ResetToken = std::array<std::byte, 16>;

struct LongHeader {
    std::uint8_t version = version_1;
    std::uint8_t pattern = 0;
    std::uint8_t suite = 0;
    std::array<std::byte, 4> random{};
    Id source;
    bool operator==(const LongHeader&) const = default;
};

/// Noise messages are views of the datagram.
struct InitPacket {
    LongHeader header;
    KeyId key_id{};
    Cookie cookie{};
    Mac mac{};
    std::span<const std::byte> noise;
};
struct ResponsePacket {
    LongHeader header;
    Id destination;
    std::span<const std::byte> noise;
};
struct CookiePacket {
    LongHeader header;
    Id destination;
    Cookie cookie{};
    Mac mac{};
};
inline constexpr std::size_t versions_max = 15;
struct VersionsPacket {
    LongHeader header;
    Id destination;
    std::array<std::uint8_t, versions_max> versions{};
    std::uint8_t count = 0;
    Mac mac{};
};
struct ResetPacket {
    LongHeader header;
    Id destination;
    ResetToken token{};
};
using LongPacket = std::variant<InitPacket, ResponsePacket, CookiePacket, VersionsPacket, ResetPacket>;

inline constexpr std::size_t init_bytes = 1'200;
inline constexpr std::size_t init_noise_bytes_max = init_bytes - 58;
inline constexpr std::size_t response_bytes_max = 300;
inline constexpr std::size_t response_noise_bytes_max = response_bytes_max - 26;
inline constexpr std::size_t cookie_packet_bytes = 56;
inline constexpr std::size_t versions_packet_bytes = 56;
inline constexpr std::size_t reset_bytes_min = 40;
inline constexpr std::size_t reset_bytes_max = 63;
static_assert(response_bytes_max * 4 <= init_bytes, "an answer is at most a quarter of what it answers");

/// The first long_header_bytes of a packet, and those of an Init that both sides agree on before its Noise message:
/// all that is not the proof of an address or of a key.
inline constexpr std::size_t long_header_bytes = 16;
inline constexpr std::size_t init_prologue_bytes = 24;
/// What a mac covers, besides the Noise message of an Init.
inline constexpr std::size_t mac_covers_bytes = 40;

std::expected<LongPacket, PacketError> parse_long(std::span<const std::byte> datagram);

/// The id in bytes 16 to 22: that of the handshake's client, or, of a Reset, the one that is reset. Null for an Init.
const Id* destination_of(const LongPacket& packet);

/// Write a packet to `out`, which must hold it, and return its size. The mac of those that have one is left out.
std::size_t write_init(std::span<std::byte> out, const InitPacket& packet);
std::size_t write_response(std::span<std::byte> out, const ResponsePacket& packet);
std::size_t write_cookie(std::span<std::byte> out, const CookiePacket& packet);
std::size_t write_versions(std::span<std::byte> out, const VersionsPacket& packet);
/// `size` is reset_bytes_min to reset_bytes_max; what follows the token is left as it is.
std::size_t write_reset(std::span<std::byte> out, const ResetPacket& packet, std::size_t size);

/// Writes the header alone, as the payload of a Response repeats it.
void write_long_header(std::byte* out, LongType type, const LongHeader& header);

/// Completes an Init, Cookie or Versions.
void write_mac(std::span<std::byte> packet, const Mac& mac);

}  // namespace ringpost::native
