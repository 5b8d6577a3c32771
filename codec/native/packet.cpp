// Fields are loaded and stored one by one at the offsets of the tables in packet.hpp. A long packet has one legal
// encoding: what the tables call zero must be zero, and each type has its size.

#include "codec/native/packet.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::native {
namespace {

constexpr std::byte long_form{0xc0};
constexpr std::byte key_phase_bit{0x20}, random_mask{0x1f};

constexpr std::size_t short_id_at = 1, short_number_at = 8;

constexpr std::size_t version_at = 1, pattern_at = 2, suite_at = 3, random_at = 4, source_at = 8, source_zero_at = 15;
constexpr std::size_t key_id_at = 16, init_cookie_at = 24, mac_at = 40, init_length_at = 56, init_noise_at = 58;
constexpr std::size_t destination_at = 16, destination_zero_at = 23;
constexpr std::size_t response_length_at = 24, response_noise_at = 26;
constexpr std::size_t cookie_at = 24, versions_count_at = 24, versions_at = 25, token_at = 24;
static_assert(init_noise_at + init_noise_bytes_max == init_bytes && mac_at == mac_covers_bytes);
static_assert(response_noise_at + response_noise_bytes_max == response_bytes_max);
static_assert(versions_at + versions_max == mac_at && token_at + 16 == reset_bytes_min);
static_assert(init_prologue_bytes == init_cookie_at && long_header_bytes == key_id_at);

void store_id(std::byte* at, const Id& id) { std::memcpy(at, &id, id_bytes); }

Id load_id(const std::byte* at) {
    Id id;
    std::memcpy(&id, at, id_bytes);
    return id;
}

template <std::size_t size>
void store_array(std::byte* at, const std::array<std::byte, size>& bytes) {
    std::memcpy(at, bytes.data(), size);
}

template <std::size_t size>
std::array<std::byte, size> load_array(const std::byte* at) {
    std::array<std::byte, size> bytes;
    std::memcpy(bytes.data(), at, size);
    return bytes;
}

bool all_zero(std::span<const std::byte> bytes) {
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

LongHeader load_long_header(std::span<const std::byte> datagram) {
    LongHeader header;
    header.version = std::to_integer<std::uint8_t>(datagram[version_at]);
    header.pattern = std::to_integer<std::uint8_t>(datagram[pattern_at]);
    header.suite = std::to_integer<std::uint8_t>(datagram[suite_at]);
    header.random = load_array<4>(&datagram[random_at]);
    header.source = load_id(&datagram[source_at]);
    return header;
}

// The header, and the id of the receiver that follows it in all but an Init.
void write_to(std::span<std::byte> out, LongType type, const LongHeader& header, const Id& destination) {
    write_long_header(out.data(), type, header);
    store_id(&out[destination_at], destination);
    out[destination_zero_at] = std::byte{0};
}

using ParsedLong = std::expected<LongPacket, PacketError>;

ParsedLong parse_init(const LongHeader& header, std::span<const std::byte> datagram) {
    if (datagram.size() != init_bytes) return std::unexpected(PacketError::wrong_size);
    const std::size_t length = load_le<std::uint16_t>(&datagram[init_length_at]);
    if (length == 0 || length > init_noise_bytes_max) return std::unexpected(PacketError::bad_length);
    if (!all_zero(datagram.subspan(init_noise_at + length))) return std::unexpected(PacketError::not_zero);
    InitPacket packet;
    packet.header = header;
    packet.key_id = load_array<8>(&datagram[key_id_at]);
    packet.cookie = load_array<16>(&datagram[init_cookie_at]);
    packet.mac = load_array<16>(&datagram[mac_at]);
    packet.noise = datagram.subspan(init_noise_at, length);
    return packet;
}

ParsedLong parse_response(const LongHeader& header, std::span<const std::byte> datagram) {
    if (datagram.size() < response_noise_at) return std::unexpected(PacketError::too_short);
    if (datagram.size() > response_bytes_max) return std::unexpected(PacketError::wrong_size);
    const std::size_t length = load_le<std::uint16_t>(&datagram[response_length_at]);
    if (length == 0 || response_noise_at + length != datagram.size()) return std::unexpected(PacketError::bad_length);
    return ResponsePacket{header, load_id(&datagram[destination_at]), datagram.subspan(response_noise_at)};
}

ParsedLong parse_cookie(const LongHeader& header, std::span<const std::byte> datagram) {
    if (datagram.size() != cookie_packet_bytes) return std::unexpected(PacketError::wrong_size);
    return CookiePacket{header, load_id(&datagram[destination_at]), load_array<16>(&datagram[cookie_at]),
                        load_array<16>(&datagram[mac_at])};
}

ParsedLong parse_versions(const LongHeader& header, std::span<const std::byte> datagram) {
    if (datagram.size() != versions_packet_bytes) return std::unexpected(PacketError::wrong_size);
    VersionsPacket packet;
    packet.header = header;
    packet.destination = load_id(&datagram[destination_at]);
    packet.count = std::to_integer<std::uint8_t>(datagram[versions_count_at]);
    if (packet.count == 0 || packet.count > versions_max) return std::unexpected(PacketError::bad_count);
    std::memcpy(packet.versions.data(), &datagram[versions_at], packet.count);
    if (!all_zero(datagram.subspan(versions_at + packet.count, versions_max - packet.count)))
        return std::unexpected(PacketError::not_zero);
    packet.mac = load_array<16>(&datagram[mac_at]);
    return packet;
}

ParsedLong parse_reset(const LongHeader& header, std::span<const std::byte> datagram) {
    if (datagram.size() < reset_bytes_min) return std::unexpected(PacketError::too_short);
    if (datagram.size() > reset_bytes_max) return std::unexpected(PacketError::wrong_size);
    return ResetPacket{header, load_id(&datagram[destination_at]), load_array<16>(&datagram[token_at])};
}

}  // namespace

Form form_of(std::span<const std::byte> datagram) {
    if (datagram.empty()) return Form::foreign;
    const std::byte form = datagram[0] & form_mask;
    if (form == short_form) return Form::short_packet;
    return form == long_form ? Form::long_packet : Form::foreign;
}

void write_short_header(std::byte* out, const ShortHeader& header) {
    out[0] = short_form | (header.key_phase ? key_phase_bit : std::byte{0}) | (std::byte{header.random} & random_mask);
    store_id(out + short_id_at, header.id);
    store_le(out + short_number_at, header.number);
}

std::optional<ShortHeader> parse_short_header(std::span<const std::byte> datagram) {
    if (datagram.size() < short_header_bytes || form_of(datagram) != Form::short_packet) return std::nullopt;
    ShortHeader header;
    header.id = load_id(&datagram[short_id_at]);
    header.number = load_le<std::uint32_t>(&datagram[short_number_at]);
    header.key_phase = (datagram[0] & key_phase_bit) != std::byte{0};
    header.random = std::to_integer<std::uint8_t>(datagram[0] & random_mask);
    return header;
}

std::uint64_t full_number(std::uint64_t expected, std::uint32_t low) {
    // The signed distance of the low halves, at most 2^31 either way.
    const auto distance = static_cast<std::int32_t>(low - static_cast<std::uint32_t>(expected));
    const std::uint64_t number = expected + static_cast<std::uint64_t>(std::int64_t{distance});
    // Numbers neither start below zero nor pass 2^64.
    if (distance < 0 && number > expected) return number + (std::uint64_t{1} << 32);
    if (distance > 0 && number < expected) return number - (std::uint64_t{1} << 32);
    return number;
}

std::expected<LongPacket, PacketError> parse_long(std::span<const std::byte> datagram) {
    if (form_of(datagram) != Form::long_packet) return std::unexpected(PacketError::unknown_type);
    // No long packet is shorter than a Response with an empty Noise message.
    if (datagram.size() < response_noise_at) return std::unexpected(PacketError::too_short);
    if (datagram[source_zero_at] != std::byte{0}) return std::unexpected(PacketError::not_zero);
    const LongHeader header = load_long_header(datagram);
    const auto type = static_cast<LongType>(datagram[0]);
    if (type == LongType::init) return parse_init(header, datagram);
    if (type < LongType::init || type > LongType::reset) return std::unexpected(PacketError::unknown_type);
    // A peer of another version answers with the types of that version, but these are read in none but ours.
    if (header.version != version_1 && type != LongType::versions) return std::unexpected(PacketError::unknown_version);
    if (datagram[destination_zero_at] != std::byte{0}) return std::unexpected(PacketError::not_zero);
    switch (type) {
        case LongType::response: return parse_response(header, datagram);
        case LongType::cookie: return parse_cookie(header, datagram);
        case LongType::versions: return parse_versions(header, datagram);
        default: return parse_reset(header, datagram);
    }
}

const Id* destination_of(const LongPacket& packet) {
    return std::visit(
        []<class Packet>(const Packet& each) -> const Id* {
            if constexpr (std::is_same_v<Packet, InitPacket>)
                return nullptr;
            else
                return &each.destination;
        },
        packet);
}

void write_long_header(std::byte* out, LongType type, const LongHeader& header) {
    out[0] = static_cast<std::byte>(type);
    out[version_at] = std::byte{header.version};
    out[pattern_at] = std::byte{header.pattern};
    out[suite_at] = std::byte{header.suite};
    store_array(out + random_at, header.random);
    store_id(out + source_at, header.source);
    out[source_zero_at] = std::byte{0};
}

std::size_t write_init(std::span<std::byte> out, const InitPacket& packet) {
    RINGPOST_CHECK(out.size() >= init_bytes && packet.noise.size() <= init_noise_bytes_max);
    write_long_header(out.data(), LongType::init, packet.header);
    store_array(&out[key_id_at], packet.key_id);
    store_array(&out[init_cookie_at], packet.cookie);
    store_le(&out[init_length_at], static_cast<std::uint16_t>(packet.noise.size()));
    const auto rest = out.subspan(init_noise_at, init_noise_bytes_max);
    std::ranges::fill(std::ranges::copy(packet.noise, rest.begin()).out, rest.end(), std::byte{0});
    return init_bytes;
}

std::size_t write_response(std::span<std::byte> out, const ResponsePacket& packet) {
    const std::size_t size = response_noise_at + packet.noise.size();
    RINGPOST_CHECK(size <= response_bytes_max && out.size() >= size);
    write_to(out, LongType::response, packet.header, packet.destination);
    store_le(&out[response_length_at], static_cast<std::uint16_t>(packet.noise.size()));
    std::ranges::copy(packet.noise, &out[response_noise_at]);
    return size;
}

std::size_t write_cookie(std::span<std::byte> out, const CookiePacket& packet) {
    RINGPOST_CHECK(out.size() >= cookie_packet_bytes);
    write_to(out, LongType::cookie, packet.header, packet.destination);
    store_array(&out[cookie_at], packet.cookie);
    return cookie_packet_bytes;
}

std::size_t write_versions(std::span<std::byte> out, const VersionsPacket& packet) {
    RINGPOST_CHECK(out.size() >= versions_packet_bytes && packet.count >= 1 && packet.count <= versions_max);
    write_to(out, LongType::versions, packet.header, packet.destination);
    out[versions_count_at] = std::byte{packet.count};
    std::ranges::fill(out.subspan(versions_at, versions_max), std::byte{0});
    std::memcpy(&out[versions_at], packet.versions.data(), packet.count);
    return versions_packet_bytes;
}

std::size_t write_reset(std::span<std::byte> out, const ResetPacket& packet, std::size_t size) {
    RINGPOST_CHECK(size >= reset_bytes_min && size <= reset_bytes_max && out.size() >= size);
    write_to(out, LongType::reset, packet.header, packet.destination);
    store_array(&out[token_at], packet.token);
    return size;
}

void write_mac(std::span<std::byte> packet, const Mac& mac) { store_array(&packet[mac_at], mac); }

}  // namespace ringpost::native
