// Any Wire, then any datagram. The Wire consists of a byte each for the lengths of the magic and of the three types,
// the last two as differences to the first (usually 0), then their bytes. The rules for a valid Wire and for frames are
// implemented a second time here, and both must agree. Decoded frames must encode to the same bytes.

#include <algorithm>

#include "codec/gtudp/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::gtudp_frame {

using namespace ringpost::gtudp;

namespace {

Wire wire_of(Script& script) {
    const std::size_t magic = script.u8() % 16, data = script.u8() % 8;
    const std::uint8_t recv = script.u8(), ack = script.u8();
    const auto length = [&](std::uint8_t change) { return change < 16 ? (data + change) % 8 : data; };
    Wire wire;
    wire.magic = script.bytes(magic);
    wire.types = {script.bytes(data), script.bytes(length(recv)), script.bytes(length(ack))};
    return wire;
}

std::optional<WireError> error_of(const Wire& wire) {
    const auto& types = wire.types;
    if (std::ranges::any_of(types, [](const auto& type) { return type.empty(); })) return WireError::type_empty;
    for (std::size_t i = 0; i < 3; ++i)
        if (types[i].size() != types[(i + 1) % 3].size()) return WireError::type_lengths;
    for (std::size_t i = 0; i < 3; ++i)
        if (types[i] == types[(i + 1) % 3]) return WireError::types_equal;
    return std::nullopt;
}

Bytes encoded(const Codec& codec, const Frame& frame) {
    Bytes out(codec.header_bytes() + frame.data.size());
    Bytes header(codec.header_bytes());  // allocated exactly, so that a sanitizer detects a write beyond it
    codec.write_header(header.data(), frame.kind, frame.identity);
    std::ranges::copy(header, out.begin());
    std::ranges::copy(frame.data, out.begin() + static_cast<std::ptrdiff_t>(header.size()));
    return out;
}

// The definition: the datagram starts with magic and type, four bytes follow, and only a DATA has further bytes.
std::optional<Kind> kind_by_definition(const Wire& wire, const Bytes& datagram) {
    for (std::size_t kind = 0; kind < 3; ++kind) {
        Bytes prefix = wire.magic;
        prefix.insert(prefix.end(), wire.types[kind].begin(), wire.types[kind].end());
        if (datagram.size() < prefix.size() + 4) continue;
        if (!std::equal(prefix.begin(), prefix.end(), datagram.begin())) continue;
        if (kind > 0 && datagram.size() > prefix.size() + 4) return std::nullopt;
        return static_cast<Kind>(kind);
    }
    return std::nullopt;
}

void check(const Wire& wire, const Codec& codec, const Bytes& datagram) {
    const auto frame = codec.decode(datagram);
    RINGPOST_CHECK((frame ? std::optional(frame->kind) : std::nullopt) == kind_by_definition(wire, datagram));
    if (frame) RINGPOST_CHECK(encoded(codec, *frame) == datagram);
}

// As defined in RFC 1950, 8.2.
std::uint32_t adler32_by_definition(std::span<const std::byte> bytes) {
    std::uint32_t a = 1, b = 0;
    for (const std::byte byte : bytes) {
        a = (a + std::to_integer<std::uint32_t>(byte)) % 65'521;
        b = (b + a) % 65'521;
    }
    return b << 16 | a;
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, limits::datagram_bytes_max);
    const Wire wire = wire_of(script);
    const auto codec = Codec::make(wire);
    const auto error = error_of(wire);
    RINGPOST_CHECK(codec.has_value() == !error && (codec || codec.error() == *error));
    if (!codec) return 0;
    RINGPOST_CHECK(codec->header_bytes() == wire.magic.size() + wire.types[0].size() + 4);
    RINGPOST_CHECK(codec->data_bytes_max() == limits::datagram_bytes_max - codec->header_bytes());

    // The input as it is, and with each header in front of it.
    const Bytes rest = script.bytes(size);
    check(wire, *codec, rest);
    const Identity identity = reference_identity(rest, 7);
    RINGPOST_CHECK(identity == adler32_by_definition(rest) + 7);
    for (const Kind kind : {Kind::data, Kind::recv, Kind::ack}) {
        const Bytes datagram = encoded(*codec, {kind, identity, rest});
        check(wire, *codec, datagram);
        const auto frame = codec->decode(datagram);
        RINGPOST_CHECK(frame.has_value() == (kind == Kind::data || rest.empty()));
        if (frame)
            RINGPOST_CHECK(frame->kind == kind && frame->identity == identity && frame->data.size() == rest.size());
    }
    return 0;
}

const Target registered("gtudp/frame", run);

}  // namespace
}  // namespace ringpost::fuzz::gtudp_frame
