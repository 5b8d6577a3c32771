#include "codec/gtudp/frame.hpp"

#include <libdeflate.h>

#include "codec/base/crc32c.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::gtudp {

std::expected<Codec, WireError> Codec::make(const Wire& wire) {
    const auto& [data, recv, ack] = wire.types;
    if (data.empty() || recv.empty() || ack.empty()) return std::unexpected(WireError::type_empty);
    if (data.size() != recv.size() || data.size() != ack.size()) return std::unexpected(WireError::type_lengths);
    if (data == recv || data == ack || recv == ack) return std::unexpected(WireError::types_equal);
    const std::size_t trailer_bytes = wire.checked ? checksum_bytes : 0;
    if (wire.magic.size() + data.size() + identity_bytes + trailer_bytes >= limits::datagram_bytes_max)
        return std::unexpected(WireError::header_too_long);
    return Codec(wire);
}

Codec::Codec() : Codec(Wire{}) {}

Codec::Codec(const Wire& wire)
    : prefix_bytes_(wire.magic.size() + wire.types[0].size()), trailer_bytes_(wire.checked ? checksum_bytes : 0) {
    for (std::size_t kind = 0; kind < wire.types.size(); ++kind) {
        const auto& type = wire.types[kind];
        prefixes_.insert(prefixes_.end(), wire.magic.begin(), wire.magic.end());
        prefixes_.insert(prefixes_.end(), type.begin(), type.end());
        last_bytes_[kind] = type.back();
    }
}

std::size_t Codec::data_bytes_max() const { return limits::datagram_bytes_max - data_frame_bytes(0); }

void Codec::verify(std::span<const std::byte> datagram, Frame& frame) const {
    frame.corrupt = frame.data.size() < checksum_bytes;
    if (frame.corrupt) return;
    const std::size_t covered = datagram.size() - checksum_bytes;
    frame.corrupt = load_be<std::uint32_t>(&datagram[covered]) != crc32c(datagram.first(covered));
    frame.data = frame.data.first(frame.data.size() - checksum_bytes);
}

void Codec::write_checksum(std::span<std::byte> frame) {
    const std::size_t covered = frame.size() - checksum_bytes;
    store_be(&frame[covered], crc32c(frame.first(covered)));
}

Identity reference_identity(std::span<const std::byte> data, std::uint32_t counter) {
    constexpr std::uint32_t adler_of_nothing = 1;
    return libdeflate_adler32(adler_of_nothing, data.data(), data.size()) + counter;
}

}  // namespace ringpost::gtudp
