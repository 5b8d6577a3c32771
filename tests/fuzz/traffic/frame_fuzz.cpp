// Decodes the input as it is, and again with a valid CRC, which a fuzzer would not find. The second must succeed
// exactly if length and sequence are valid, and its header must equal that of a FrameWriter.

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/traffic/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_frame {

using namespace ringpost::traffic;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, limits::datagram_bytes_max);
    Bytes bytes = script.bytes(size);
    if (decode(bytes)) RINGPOST_CHECK(load_le<std::uint32_t>(bytes.data()) == crc32c(std::span(bytes).subspan(4)));
    if (bytes.size() < frame_bytes_min) {
        RINGPOST_CHECK(!decode(bytes));
        return 0;
    }
    store_le(bytes.data(), crc32c(std::span(bytes).subspan(4)));
    const auto frame = decode(bytes);
    RINGPOST_CHECK(frame.has_value() == (load_le<std::uint64_t>(&bytes[8]) < sequence_end));
    if (!frame) return 0;
    const FrameWriter writer(bytes.size());
    Bytes again(bytes.size());
    writer.prepare(again, 1);
    writer.write(again.data(), *frame, 1);
    RINGPOST_CHECK(std::equal(again.begin() + 4, again.begin() + frame_bytes_min, bytes.begin() + 4));
    RINGPOST_CHECK(decode(again) == frame);
    return 0;
}

const Target registered("traffic/frame", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_frame
