// The input is a capture file, pcap or pcapng. What is read must be one payload or more, within their limits.

#include <cstdint>

#include "apps/measuring/capture.hpp"
#include "codec/base/limits.hpp"
#include "tests/fuzz/apps/files.hpp"

using namespace ringpost;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fuzz::Directory directory;
    const std::string path = directory.write("capture.pcap", fuzz::text_of(data, size));
    traffic::Payload payload;
    if (fuzz::reads([&] { apps::read_capture(payload, "--payload-pcap", path); }))
        RINGPOST_CHECK(payload.count() > 0 && payload.count() <= limits::payloads_max);
    return 0;
}
