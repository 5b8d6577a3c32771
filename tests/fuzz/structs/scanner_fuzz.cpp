// Builds a span from pieces and compares the scanner with one that works byte by byte. A piece is a byte; its lowest
// three bits select its kind:
//     0  raw bytes, as many as the next byte
//     1  a packet of raw bytes, as many as the next byte, with any id
//     2  the same with one byte changed
//     3  the same truncated
//     4  a header alone, with any size and checksum: its size may reach far beyond
//     5  FF, as many as the next byte
//     6  AA, as many as the next two bytes
//     7  all remaining bytes, raw

#include "codec/structs/scanner.hpp"

#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/unit/codec/structs/model.hpp"

namespace ringpost::fuzz::structs_scanner {

using namespace ringpost::structs;

namespace {

constexpr std::size_t bytes_max = 150'000;
constexpr int headers_max = 40;  // the reference scanner reads the payload of each header again

Bytes packet(Script& script) {
    const structs::MessageId id = script.u16();
    const Bytes payload = script.bytes(script.u8());
    Bytes out(header_bytes + payload.size());
    RINGPOST_CHECK(encode({id, payload}, out) == out.size());
    const auto decoded = decode(out);
    RINGPOST_CHECK(decoded && decoded->id == id && std::ranges::equal(decoded->payload, payload));
    return out;
}

Bytes header(Script& script) {
    Bytes out(header_bytes);
    write_header(out.data(), script.u16(), 0, static_cast<std::byte>(script.u8()));
    store_le(&out[4], script.u16());
    return out;
}

Bytes put_together(Script script) {
    Bytes out;
    int headers = 0;
    while (!script.over() && out.size() < bytes_max) {
        const std::uint8_t what = script.u8() & 7;
        Bytes piece;
        switch (what) {
            case 0: piece = script.bytes(script.u8()); break;
            case 1:
            case 2:
            case 3: piece = packet(script); break;
            case 4:
                if (++headers <= headers_max) piece = header(script);
                break;
            case 5: piece.assign(script.u8(), std::byte{0xff}); break;
            case 6: piece.assign(script.u16(), std::byte{0xaa}); break;
            default: piece = script.bytes(SIZE_MAX);
        }
        if (what == 2) piece[script.u8() % piece.size()] ^= static_cast<std::byte>(script.u8());
        if (what == 3) piece.resize(script.u8() % piece.size());
        out.insert(out.end(), piece.begin(), piece.end());
    }
    return out;
}

int run(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes = put_together(Script(data, size, 2'048));
    const auto expected = model::scan(bytes);
    Scanner scanner(bytes);
    std::size_t in_packets = 0;
    for (const model::Found& one : expected) {
        const auto found = scanner.next();
        RINGPOST_CHECK(found && found->offset == one.offset && found->packet.has_value() == !one.error);
        if (one.error) {
            RINGPOST_CHECK(found->packet.error() == *one.error);
            RINGPOST_CHECK(decode(std::span(bytes).subspan(one.offset)).error() == *one.error);
            continue;
        }
        RINGPOST_CHECK(found->packet->id == one.id && std::ranges::equal(found->packet->payload, one.payload));
        in_packets += header_bytes + one.payload.size();
    }
    RINGPOST_CHECK(!scanner.next());
    RINGPOST_CHECK(scanner.skipped() == bytes.size() - in_packets);
    return 0;
}

const Target registered("structs/scanner", run);

}  // namespace
}  // namespace ringpost::fuzz::structs_scanner
