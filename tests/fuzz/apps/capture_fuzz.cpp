// The input is a capture file, pcap or pcapng. What is read must be one payload or more, within their limits. The size
// of the input selects whether the timing is read too, and trains are split.

#include <cstdint>

#include "apps/measuring/capture.hpp"
#include "codec/base/limits.hpp"
#include "tests/fuzz/apps/files.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::apps_capture {

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    static const fuzz::Directory directory;
    const std::string path = directory.write("capture.pcap", fuzz::text_of(data, size));
    traffic::Payload payload;
    const apps::CaptureOptions options{.timing = size % 2 != 0, .to = "", .split = size % 3 == 0 ? 512u : 0u};
    if (fuzz::reads([&] { apps::read_capture(payload, "--payload-pcap", path, options); }))
        RINGPOST_CHECK(payload.count() > 0 && payload.count() <= limits::payloads_max);
    return 0;
}

const Target registered("apps/capture", run);

}  // namespace
}  // namespace ringpost::fuzz::apps_capture
