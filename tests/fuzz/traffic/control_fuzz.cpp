// Decodes the input as it is, and again with a valid CRC, which a fuzzer would not find. What is decoded has one
// encoding, and counts that pass as credible agree with themselves and with what was sent. A sink that gets both sends
// no more bytes than it has received, as nothing in the input proves an address.

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/base/crc32c.hpp"
#include "codec/traffic/control.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/reverse.hpp"
#include "codec/traffic/sink.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_control {

using namespace ringpost::traffic;

namespace {

void check(const Bytes& bytes, std::uint64_t sent) {
    const auto control = decode_control(bytes);
    if (!control) return;
    RINGPOST_CHECK(!decode(bytes));
    if (const auto request = reverse_request_of(*control)) {
        RINGPOST_CHECK(to_control(control->stream, control->cookie, *request) == *control);
        RINGPOST_CHECK(request->frame_bytes >= frame_bytes_min && request->duration_ns <= limits::reverse_ns_max);
    }
    if (const auto answer = reverse_answer_of(*control)) RINGPOST_CHECK(to_control(*control, *answer) == *control);
    Bytes again(control_bytes);
    encode_control(*control, again);
    RINGPOST_CHECK(std::ranges::equal(again, bytes));
    const CountsAnswer answer = counts_of(*control, sent);
    if (!answer.counts) return;
    const StreamCounts& counts = *answer.counts;
    RINGPOST_CHECK(answer.credible && counts.end <= sent && counts.received + counts.missing <= counts.end);
    RINGPOST_CHECK(counts.reordered <= counts.received);
}

void play(Sink& sink, const Bytes& bytes) {
    const Address source = Address::v4(10, 0, 0, 1, 4'000);
    sink.handle(second, {source, 0, bytes});
    std::size_t sent = 0;
    Bytes out(limits::datagram_bytes_max);
    while (const auto transmit = sink.poll_transmit(second, out)) {
        fuzz::check_transmit(*transmit);
        RINGPOST_CHECK(transmit->destination == source);
        sent += transmit->bytes;
    }
    RINGPOST_CHECK(sent <= bytes.size());
    RINGPOST_CHECK(!sink.poll_timeout());
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const std::uint64_t sent = script.magnitude();
    Bytes bytes = script.bytes(size);
    Sink sink(
        {.key = SipKey{1, 2}, .answers_control = true, .reverse = {.key = SipKey{3, 4}, .bits_per_s_max = 1u << 30}});
    check(bytes, sent);
    play(sink, bytes);
    if (bytes.size() < 4) return 0;
    store_le<std::uint32_t>(bytes.data(), ~crc32c(std::span(bytes).subspan(4)));
    check(bytes, sent);
    play(sink, bytes);
    return 0;
}

const Target registered("traffic/control", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_control
