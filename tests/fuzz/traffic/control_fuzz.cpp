// Decodes the input as it is, and again with a valid CRC, which a fuzzer would not find. What is decoded has one
// encoding, and counts that pass as credible agree with themselves and with what was sent.

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/base/crc32c.hpp"
#include "codec/traffic/control.hpp"
#include "codec/traffic/frame.hpp"
#include "tests/fuzz/script.hpp"

using namespace ringpost;
using namespace ringpost::traffic;

namespace {

void check(const fuzz::Bytes& bytes, std::uint64_t sent) {
    const auto control = decode_control(bytes);
    if (!control) return;
    RINGPOST_CHECK(!decode(bytes));
    fuzz::Bytes again(control_bytes);
    encode_control(*control, again);
    RINGPOST_CHECK(std::ranges::equal(again, bytes));
    const CountsAnswer answer = counts_of(*control, sent);
    if (!answer.counts) return;
    const StreamCounts& counts = *answer.counts;
    RINGPOST_CHECK(answer.credible && counts.end <= sent && counts.received + counts.missing <= counts.end);
    RINGPOST_CHECK(counts.reordered <= counts.received);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Script script(data, size, 4'096);
    const std::uint64_t sent = script.magnitude();
    fuzz::Bytes bytes = script.bytes(size);
    check(bytes, sent);
    if (bytes.size() < 4) return 0;
    store_le<std::uint32_t>(bytes.data(), ~crc32c(std::span(bytes).subspan(4)));
    check(bytes, sent);
    return 0;
}
