// Fields are loaded and stored one by one at the offsets of the tables in packet.hpp.

#include "codec/native/packet.hpp"

#include <cstring>

#include "codec/base/bytes.hpp"

namespace ringpost::native {
namespace {

constexpr std::byte form_mask{0xc0}, short_form{0x40}, long_form{0xc0};
constexpr std::byte key_phase_bit{0x20}, random_mask{0x1f};

constexpr std::size_t short_id_at = 1, short_number_at = 8;

void store_id(std::byte* at, const Id& id) { std::memcpy(at, &id, id_bytes); }

Id load_id(const std::byte* at) {
    Id id;
    std::memcpy(&id, at, id_bytes);
    return id;
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

}  // namespace ringpost::native
