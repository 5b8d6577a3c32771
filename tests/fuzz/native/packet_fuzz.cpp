// Any datagram as a packet of the native transport. What is read must be written as the same bytes: each packet has one
// encoding. The bytes after the token of a Reset mean nothing.

#include <cstring>

#include "codec/native/limits.hpp"
#include "codec/native/packet.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::native_packet {

using namespace ringpost::native;

namespace {

struct Writer {
    Bytes& out;
    std::size_t operator()(const InitPacket& packet) const {
        const std::size_t size = write_init(out, packet);
        write_mac(out, packet.mac);
        return size;
    }
    std::size_t operator()(const ResponsePacket& packet) const { return write_response(out, packet); }
    std::size_t operator()(const CookiePacket& packet) const {
        const std::size_t size = write_cookie(out, packet);
        write_mac(out, packet.mac);
        return size;
    }
    std::size_t operator()(const VersionsPacket& packet) const {
        const std::size_t size = write_versions(out, packet);
        write_mac(out, packet.mac);
        return size;
    }
    std::size_t operator()(const ResetPacket& packet) const { return write_reset(out, packet, out.size()); }
};

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, limits::native_datagram_bytes_max);
    const Bytes datagram = script.bytes(size);
    const Form form = form_of(datagram);
    if (const auto header = parse_short_header(datagram)) {
        RINGPOST_CHECK(form == Form::short_packet);
        Bytes again(short_header_bytes);
        write_short_header(again.data(), *header);
        RINGPOST_CHECK(std::memcmp(again.data(), datagram.data(), again.size()) == 0);
    }
    if (const auto packet = parse_long(datagram)) {
        RINGPOST_CHECK(form == Form::long_packet);
        // Of its size, filled with what it must write over, but for the end of a Reset.
        Bytes again(datagram.size(), std::byte{0xff});
        if (std::holds_alternative<ResetPacket>(*packet))
            std::copy(datagram.begin() + reset_bytes_min, datagram.end(), again.begin() + reset_bytes_min);
        RINGPOST_CHECK(std::visit(Writer{again}, *packet) == datagram.size());
        RINGPOST_CHECK(again == datagram);
    }
    return 0;
}

const Target registered("native/packet", run);

}  // namespace
}  // namespace ringpost::fuzz::native_packet
