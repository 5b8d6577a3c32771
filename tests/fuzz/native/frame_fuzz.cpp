// Any bytes as the content of a packet. What is decoded must encode to the same bytes, and nothing may be read past the
// end.

#include <cstring>

#include "codec/native/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/unit/codec/native/frame_samples.hpp"

namespace ringpost::fuzz::native_frame {

using namespace ringpost::native;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, limits::native_datagram_bytes_max);
    const Bytes bytes = script.bytes(size);
    std::span<const std::byte> rest = bytes;
    while (!rest.empty()) {
        const std::byte* begin = rest.data();
        const std::size_t before = rest.size();
        const auto frame = take_frame(rest);
        if (!frame) {
            RINGPOST_CHECK(rest.size() == before);
            return 0;
        }
        const std::size_t taken = before - rest.size();
        RINGPOST_CHECK(taken > 0 && rest.data() == begin + taken);
        if (std::holds_alternative<AckFrame>(*frame)) {
            // Ranges that reach below the 40th bit's number cannot be encoded from it.
            const auto& ack = std::get<AckFrame>(*frame);
            recovery::PacketRange ranges[limits::native_ranges_sent_max];
            if (ranges_of(ack, ack.largest + (std::uint64_t{1} << 40), ranges) == 0) continue;
        }
        const Bytes again = encode_frame(*frame, is_of_one_length(*begin));
        RINGPOST_CHECK(again.size() == taken && std::memcmp(again.data(), begin, taken) == 0);
    }
    return 0;
}

const Target registered("native/frame", run);

}  // namespace
}  // namespace ringpost::fuzz::native_frame
