// Decodes the input as an advert, a name and a frame. Decoded values must encode to the same bytes.

#include "codec/devices/advert.hpp"
#include "codec/devices/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::devices_advert {

using namespace ringpost::devices;

namespace {

void check_frame(const std::expected<Frame, FrameError>& frame, std::string_view text) {
    if (!frame) return;
    RINGPOST_CHECK(can_carry(frame->text));
    Bytes out(frame_bytes(*frame));
    RINGPOST_CHECK(encode_frame(*frame, out) == out.size());
    const std::string_view again(reinterpret_cast<const char*>(out.data()), out.size());
    RINGPOST_CHECK(again.ends_with(terminator) && again.substr(0, again.size() - terminator.size()) == text);
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const Bytes bytes = script.bytes(size);
    if (const auto advert = decode_advert(bytes)) {
        Bytes out(limits::devices_advert_bytes_max);
        out.resize(encode_advert(*advert, out));
        RINGPOST_CHECK(out == bytes);
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.find(terminator) != text.npos) return 0;  // the splitter removes terminators
    check_frame(decode_name(text), text);
    check_frame(decode_frame(text), text);
    return 0;
}

const Target registered("devices/advert", run);

}  // namespace
}  // namespace ringpost::fuzz::devices_advert
