// A template, hex digits or a preset, as selected by the first byte: text (0), hex (1), preset (2). Accepted payloads
// are written for two probes and two seeds, and only the dependent bytes may differ. Errors must have a position in the
// text.

#include <string>

#include "codec/traffic/presets.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_payload {

using namespace ringpost::traffic;

namespace {

Bytes written(const Payload& payload, std::uint64_t sequence, std::uint64_t seed) {
    Bytes out(payload.bytes_max());
    const std::size_t size = payload.write(
        out, {.sequence = sequence, .in_flow = sequence, .due = static_cast<Instant>(sequence), .seed = seed});
    RINGPOST_CHECK(size >= payload.bytes_min() && size <= payload.bytes_max());
    out.resize(size);
    return out;
}

void check_written(const Payload& payload, bool constant) {
    RINGPOST_CHECK(payload.count() == 1);
    RINGPOST_CHECK(payload.bytes_max() >= 1 && payload.bytes_max() <= limits::datagram_bytes_max);
    const Bytes first = written(payload, 1, 2);
    RINGPOST_CHECK(first == written(payload, 1, 2));
    if (!payload.has_varying()) RINGPOST_CHECK(payload.bytes_min() == payload.bytes_max());
    if (const auto fixed = payload.with_digits(1)) RINGPOST_CHECK(written(*fixed, 1, 2) == first);
    if (constant) RINGPOST_CHECK(first == written(payload, 3, 4));
}

/// The text form of exactly these bytes.
std::string escaped(const Bytes& bytes) {
    std::string out;
    for (const std::byte byte : bytes) {
        const auto value = static_cast<unsigned>(byte);
        out += {'\\', 'x', "0123456789abcdef"[value >> 4], "0123456789ABCDEF"[value & 15]};
    }
    return out;
}

int run(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(data + 1, data + size);
    if (data[0] == 2) {
        const auto preset = parse_preset(text);
        if (!preset) {
            RINGPOST_CHECK(preset.error().position <= text.size() && *preset.error().reason != 0);
            return 0;
        }
        check_written(preset->dialect.payload, false);
        RINGPOST_CHECK(preset->port > 0);
        RINGPOST_CHECK(preset->dialect.payload.bytes_min() >= preset->dialect.match.probe_bytes_min());
        return 0;
    }
    Payload payload;
    const auto added = data[0] == 1 ? payload.add_hex(text) : payload.add_text(text);
    if (!added) {
        RINGPOST_CHECK(payload.count() == 0 && added.error().position <= text.size());
        RINGPOST_CHECK(*describe(added.error().kind) != 0);
        return 0;
    }
    check_written(payload, data[0] == 1 || text.find('{') == std::string::npos);
    Payload again;
    const Bytes first = written(payload, 1, 2);
    RINGPOST_CHECK(again.add_text(escaped(first)) && written(again, 5, 6) == first);
    return 0;
}

const Target registered("traffic/payload", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_payload
