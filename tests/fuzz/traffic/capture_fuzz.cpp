// The first byte selects the link, the rest is a captured packet. A payload must lie within the packet, behind a UDP
// header with its length; bytes captured beyond the packet must not change it.

#include "codec/traffic/capture.hpp"

#include "codec/base/bytes.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_capture {

using namespace ringpost::traffic;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const auto link = static_cast<Link>(script.u8() % 5);
    Bytes packet = script.bytes(size);
    const auto found = udp_datagram(link, packet);
    if (!found) return 0;
    RINGPOST_CHECK(found->payload.data() >= packet.data() + 28 &&
                   found->payload.data() + found->payload.size() <= packet.data() + packet.size());
    RINGPOST_CHECK(load_be<std::uint16_t>(found->payload.data() - 4) == found->payload.size() + 8);
    const Bytes payload(found->payload.begin(), found->payload.end());
    packet.push_back(std::byte{1});
    const auto again = udp_datagram(link, packet);
    RINGPOST_CHECK(again && Bytes(again->payload.begin(), again->payload.end()) == payload);
    return 0;
}

const Target registered("traffic/capture", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_capture
