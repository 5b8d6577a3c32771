// Splits the input with a plain search, and with the splitter in pieces whose lengths come from the input. Both must
// find the same frames.

#include <string>

#include "codec/devices/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::devices_splitter {

using namespace ringpost::devices;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 16'384);
    std::string rest;  // the expected contents of the splitter
    Splitter splitter;
    while (!script.over()) {
        const std::uint8_t step = script.u8();
        const Bytes piece = script.bytes(1u + (step & 0x3f));
        if (!piece.empty()) splitter.append(piece);
        rest.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        // Sometimes frames are left in the splitter until more bytes arrive; sometimes its memory is freed.
        for (unsigned left = step >> 6; left > 0; --left) {
            const std::size_t end = rest.find(terminator);
            const auto frame = splitter.front();
            RINGPOST_CHECK(frame.has_value() == (end != rest.npos));
            if (!frame) break;
            RINGPOST_CHECK(*frame == std::string_view(rest).substr(0, end));
            splitter.pop();
            rest.erase(0, end + terminator.size());
        }
        splitter.free_if_empty();
        RINGPOST_CHECK(splitter.unread_bytes() == rest.size());
        RINGPOST_CHECK(splitter.whole() == (rest.empty() || rest.ends_with(terminator)));
    }
    return 0;
}

const Target registered("devices/splitter", run);

}  // namespace
}  // namespace ringpost::fuzz::devices_splitter
