// XOR processes eight words at a time in eight lanes, which the compiler keeps in vector registers, and folds them at
// the end. The search for the magic tests blocks of 64 bytes for any byte that is FF and followed by FF, so single FF
// bytes, which are common in random data, do not slow it down. Only blocks that match are searched byte by byte.

#include <ringpost/structs/frame.hpp>

#include <array>
#include <cstring>

namespace ringpost::structs {
namespace {

constexpr std::size_t block_bytes = 64;

/// Whether a magic starts in the block. Reads 65 bytes.
bool has_magic(const std::byte* block) {
    unsigned char found = 0;
    for (std::size_t i = 0; i < block_bytes; ++i)
        found |= static_cast<unsigned char>((block[i] & block[i + 1]) == std::byte{0xff} ? 0xff : 0);
    return found != 0;
}

bool is_magic(const std::byte* at) { return (at[0] & at[1]) == std::byte{0xff}; }

}  // namespace

std::byte xor_of_long(std::span<const std::byte> bytes) {
    std::array<std::uint64_t, 8> lanes{};
    const std::byte* at = bytes.data();
    for (std::size_t blocks = bytes.size() / 64; blocks > 0; --blocks, at += 64) {
        std::array<std::uint64_t, 8> block;
        std::memcpy(block.data(), at, sizeof block);
        for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] ^= block[i];
    }
    return xor_of(std::as_bytes(std::span(lanes)).first(63)) ^ std::as_bytes(std::span(lanes)).back() ^
           xor_of({at, bytes.size() % 64});
}

std::expected<Packet, FrameError> decode(std::span<const std::byte> bytes) {
    Header header;
    if (const auto error = decode_header(bytes, header)) return std::unexpected(*error);
    const auto payload = bytes.subspan(header_bytes, header.packet_bytes - header_bytes);
    if (xor_of(payload) != header.check) return std::unexpected(FrameError::checksum);
    return Packet{header.id, payload};
}

std::size_t encode(const Packet& packet, std::span<std::byte> out) {
    if (!packet.payload.empty()) std::memcpy(&out[header_bytes], packet.payload.data(), packet.payload.size());
    return write_header(out.data(), packet.id, packet.payload.size(), xor_of(packet.payload));
}

std::size_t find_magic(std::span<const std::byte> bytes, std::size_t from) {
    if (bytes.size() < 2) return bytes.size();
    const std::size_t last = bytes.size() - 2;  // last possible position of a magic
    std::size_t at = from;
    // In a sequence of packets the next magic is at `from`, or in one of the next blocks.
    if (at <= last && is_magic(&bytes[at])) return at;
    while (at + block_bytes < bytes.size() && !has_magic(&bytes[at])) at += block_bytes;
    while (at <= last && !is_magic(&bytes[at])) ++at;
    return at <= last ? at : bytes.size();
}

}  // namespace ringpost::structs
