#include "codec/gtudp/frame.hpp"

#include <libdeflate.h>

#include "codec/base/limits.hpp"

namespace ringpost::gtudp {

std::expected<Codec, WireError> Codec::make(const Wire& wire) {
    const auto& [data, recv, ack] = wire.types;
    if (data.empty() || recv.empty() || ack.empty()) return std::unexpected(WireError::type_empty);
    if (data.size() != recv.size() || data.size() != ack.size()) return std::unexpected(WireError::type_lengths);
    if (data == recv || data == ack || recv == ack) return std::unexpected(WireError::types_equal);
    if (wire.magic.size() + data.size() + identity_bytes >= limits::datagram_bytes_max)
        return std::unexpected(WireError::header_too_long);
    return Codec(wire);
}

Codec::Codec() : Codec(Wire{}) {}

Codec::Codec(const Wire& wire) : prefix_bytes_(wire.magic.size() + wire.types[0].size()) {
    for (const auto& type : wire.types) {
        prefixes_.insert(prefixes_.end(), wire.magic.begin(), wire.magic.end());
        prefixes_.insert(prefixes_.end(), type.begin(), type.end());
    }
}

std::size_t Codec::data_bytes_max() const { return limits::datagram_bytes_max - header_bytes(); }

Identity reference_identity(std::span<const std::byte> data, std::uint32_t counter) {
    constexpr std::uint32_t adler_of_nothing = 1;
    return libdeflate_adler32(adler_of_nothing, data.data(), data.size()) + counter;
}

}  // namespace ringpost::gtudp
