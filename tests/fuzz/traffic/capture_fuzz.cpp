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
    const auto link = static_cast<Link>(script.u8() % 4);
    Bytes packet = script.bytes(size);
    const auto found = udp_payload(link, packet);
    if (!found) return 0;
    RINGPOST_CHECK(found->data() >= packet.data() + 28 &&
                   found->data() + found->size() <= packet.data() + packet.size());
    RINGPOST_CHECK(load_be<std::uint16_t>(found->data() - 4) == found->size() + 8);
    const Bytes payload(found->begin(), found->end());
    packet.push_back(std::byte{1});
    const auto again = udp_payload(link, packet);
    RINGPOST_CHECK(again && Bytes(again->begin(), again->end()) == payload);
    return 0;
}

const Target registered("traffic/capture", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_capture
