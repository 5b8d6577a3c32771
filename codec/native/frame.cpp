// A decoder reads fields through a cursor that remembers the first failure; after it, every field is zero. So a frame
// is read straight, and checked once at its end.
//
// Messages with their lengths are walked once, which finds the frame's end. Those of one length are the usual case: the
// first length gives the place of all others, which are compared without waiting for one another.

#include "codec/native/frame.hpp"

#include <cstring>
#include <utility>

#include "codec/base/bytes.hpp"

namespace ringpost::native {
namespace {

class FrameCursor {
  public:
    explicit FrameCursor(std::span<const std::byte> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    template <class T>
    T number() {
        const std::byte* at = skip(sizeof(T));
        return at == nullptr ? T{0} : load_le<T>(at);
    }
    std::uint8_t u8() { return number<std::uint8_t>(); }
    std::uint64_t integer() {
        std::uint64_t value = 0;
        const std::size_t size = failed_ ? 0 : read_integer_before(at_, end_, value);
        if (size == 0) {
            failed_ = true;
            return 0;
        }
        at_ += size;
        return value;
    }
    std::span<const std::byte> bytes(std::uint64_t count) {
        const std::byte* at = skip(count);
        return at == nullptr ? std::span<const std::byte>() : std::span(at, count);
    }
    template <std::size_t Count>
    std::array<std::byte, Count> array() {
        std::array<std::byte, Count> out{};
        if (const std::byte* at = skip(Count)) std::memcpy(out.data(), at, Count);
        return out;
    }
    const std::byte* skip(std::uint64_t count) {
        if (failed_ || count > static_cast<std::uint64_t>(end_ - at_)) {
            failed_ = true;
            return nullptr;
        }
        return std::exchange(at_, at_ + count);
    }
    void fail() { failed_ = true; }

    bool failed() const { return failed_; }
    const std::byte* at() const { return at_; }
    const std::byte* end() const { return end_; }

  private:
    const std::byte* at_;
    const std::byte* end_;
    bool failed_ = false;
};

using Decoded = std::expected<Frame, FrameError>;
constexpr auto out_of_range = std::unexpected(FrameError::value_range);

Id decode_id(FrameCursor& in) {
    Id id;
    id.shard = in.u8();
    id.random = in.array<6>();
    return id;
}

Decoded decode_ack(FrameCursor& in, bool has_ecn) {
    AckFrame ack;
    ack.largest = in.number<std::uint32_t>();
    ack.delay = in.number<std::uint16_t>() * ack_delay_unit;
    ack.ranges = in.u8();
    ack.has_ecn = has_ecn;
    const std::byte* from = in.at();
    if (!in.failed() && (ack.ranges == 0 || ack.ranges > limits::native_ranges_sent_max)) return out_of_range;
    bool positive = true;
    for (unsigned i = 0; i < 2u * ack.ranges - 1 && !in.failed(); ++i) positive &= in.integer() > 0;
    ack.encoded = {from, in.at()};
    if (has_ecn) {
        ack.ecn.capable_0 = in.integer();
        ack.ecn.capable_1 = in.integer();
        ack.ecn.congestion = in.integer();
    }
    if (!in.failed() && !positive) return out_of_range;
    return ack;
}

Decoded decode_channel(FrameCursor& in) {
    ChannelFrame frame;
    frame.channel = in.u8();
    frame.kind = in.u8();
    frame.priority = in.u8();
    frame.weight = in.u8();
    frame.window = in.integer();
    frame.name = in.bytes(in.u8());
    if (!in.failed() && (frame.priority > 7 || frame.weight == 0 || frame.name.size() > limits::native_name_bytes_max))
        return out_of_range;
    return frame;
}

Decoded decode_skip(FrameCursor& in) {
    SkipFrame frame;
    frame.channel = in.u8();
    frame.number = in.number<std::uint32_t>();
    frame.count = in.integer();
    if (!in.failed() && frame.count == 0) return out_of_range;
    return frame;
}

Decoded decode_ack_rate(FrameCursor& in) {
    AckRateFrame frame;
    frame.sequence = in.u8();
    frame.threshold = in.number<std::uint16_t>();
    const auto low = in.number<std::uint16_t>();
    frame.delay = (low | Duration{in.u8()} << 16) * microsecond;
    frame.reordering = in.number<std::uint16_t>();
    if (!in.failed() && frame.threshold == 0) return out_of_range;
    return frame;
}

Decoded decode_close(FrameCursor& in) {
    CloseFrame frame;
    frame.code = in.number<std::uint16_t>();
    const std::uint8_t graceful = in.u8();
    frame.graceful = graceful == 1;
    frame.channels = in.u8();
    frame.ends = in.bytes(frame.channels * channel_end_bytes);
    frame.reason = in.bytes(in.u8());
    if (in.failed()) return frame;
    if (graceful > 1) return out_of_range;
    for (std::size_t i = 1; i < frame.channels; ++i)
        if (channel_end(frame, i).channel <= channel_end(frame, i - 1).channel) return out_of_range;
    return frame;
}

Decoded decode_closed(FrameCursor& in) {
    ClosedFrame frame;
    frame.code = in.number<std::uint16_t>();
    const std::uint8_t delivered = in.u8();
    frame.delivered = delivered == 1;
    if (delivered > 1) return out_of_range;
    return frame;
}

/// Whether `count` messages with the length of the first one follow each other. `bytes`: of the first, with its length.
bool all_of_one_length(const std::byte* at, const std::byte* end, std::uint32_t count, std::size_t prefix,
                       std::uint64_t bytes) {
    if (static_cast<std::uint64_t>(end - at) / count < bytes) return false;
    std::byte differences{0};
    const std::byte* next = at;
    for (std::uint32_t i = 0; i < count; ++i, next += bytes) differences |= *next ^ *at;
    if (differences != std::byte{0}) return false;
    if (prefix == 1) return true;
    next = at + bytes;
    for (std::uint32_t i = 1; i < count; ++i, next += bytes)
        if (std::memcmp(next, at, prefix) != 0) return false;
    return true;
}

Run decode_run(FrameCursor& in, std::uint32_t count) {
    const std::byte* const from = in.at();
    Run run{from, 0, count, 0, 0};
    std::uint64_t length = 0;
    const std::size_t prefix = read_integer_before(from, in.end(), length);
    // A length that cannot be does not get further than this, and one that could overflow does not either.
    if (prefix == 0 || length > static_cast<std::uint64_t>(in.end() - from)) {
        in.fail();
        return run;
    }
    if (all_of_one_length(from, in.end(), count, prefix, prefix + length)) {
        run.prefix = static_cast<std::uint32_t>(prefix);
        run.stride = static_cast<std::uint32_t>(prefix + length);
        run.bytes = run.stride * count;
        in.skip(run.bytes);
        return run;
    }
    for (std::uint32_t i = 0; i < count && !in.failed(); ++i) in.skip(in.integer());
    run.bytes = static_cast<std::uint32_t>(in.at() - from);
    return run;
}

Decoded decode_messages(FrameCursor& in, bool one_length, bool once) {
    MessagesFrame frame;
    frame.channel = in.u8();
    frame.once = once;
    frame.first = in.number<std::uint32_t>();
    const std::uint32_t count = in.u8();
    if (in.failed()) return frame;
    if (count == 0) return out_of_range;
    if (!one_length) {
        frame.run = decode_run(in, count);
        return frame;
    }
    const std::uint64_t length = in.integer();
    const std::span<const std::byte> bytes =
        length > limits::datagram_bytes_max ? in.bytes(UINT64_MAX) : in.bytes(length * count);
    frame.run = {bytes.data(), static_cast<std::uint32_t>(bytes.size()), count, static_cast<std::uint32_t>(length), 0};
    return frame;
}

Decoded decode_fragment(FrameCursor& in, bool once) {
    FragmentFrame frame;
    frame.channel = in.u8();
    frame.once = once;
    frame.number = in.number<std::uint32_t>();
    frame.total = in.number<std::uint32_t>();
    frame.offset = in.number<std::uint32_t>();
    frame.bytes = in.bytes(in.number<std::uint16_t>());
    if (in.failed()) return frame;
    if (frame.bytes.empty() || frame.offset > frame.total || frame.bytes.size() > frame.total - frame.offset)
        return out_of_range;
    return frame;
}

Decoded decode_latest(FrameCursor& in) {
    LatestFrame frame;
    frame.channel = in.u8();
    frame.key = in.integer();
    frame.number = in.number<std::uint32_t>();
    frame.bytes = in.bytes(in.integer());
    return frame;
}

Decoded decode_padding(FrameCursor& in) {
    std::size_t bytes = 1;
    for (; in.at() < in.end() && *in.at() == std::byte{0}; ++bytes) in.skip(1);
    return PaddingFrame{bytes};
}

template <class FrameOfChannel>
Decoded decode_limit(FrameCursor& in) {
    FrameOfChannel frame;
    frame.channel = in.u8();
    frame.limit = in.integer();
    return frame;
}

Decoded decode_reserved(FrameCursor& in, std::uint8_t type) {
    if (type < 0x10 || type > 0x3e || type % 2 != 0) return std::unexpected(FrameError::unknown_type);
    return ReservedFrame{type, in.bytes(in.integer())};
}

Decoded decode_frame(FrameCursor& in, std::uint8_t type) {
    switch (static_cast<FrameType>(type)) {
        case FrameType::padding: return decode_padding(in);
        case FrameType::ping: return PingFrame{};
        case FrameType::immediate_ack: return ImmediateAckFrame{};
        case FrameType::ack: return decode_ack(in, false);
        case FrameType::ack_ecn: return decode_ack(in, true);
        case FrameType::window: return decode_limit<WindowFrame>(in);
        case FrameType::blocked: return decode_limit<BlockedFrame>(in);
        case FrameType::path_challenge: return PathChallengeFrame{in.array<8>()};
        case FrameType::path_response: return PathResponseFrame{in.array<8>()};
        case FrameType::new_id: {
            const Id id = decode_id(in);
            return NewIdFrame{id, in.array<16>()};
        }
        case FrameType::retire_id: return RetireIdFrame{decode_id(in)};
        case FrameType::channel: return decode_channel(in);
        case FrameType::skip: return decode_skip(in);
        case FrameType::ack_rate: return decode_ack_rate(in);
        case FrameType::close: return decode_close(in);
        case FrameType::closed: return decode_closed(in);
        case FrameType::messages: return decode_messages(in, false, false);
        case FrameType::messages_of_one_length: return decode_messages(in, true, false);
        case FrameType::messages_once: return decode_messages(in, false, true);
        case FrameType::messages_of_one_length_once: return decode_messages(in, true, true);
        case FrameType::fragment: return decode_fragment(in, false);
        case FrameType::fragment_once: return decode_fragment(in, true);
        case FrameType::latest: return decode_latest(in);
    }
    return decode_reserved(in, type);
}

}  // namespace

std::expected<Frame, FrameError> take_frame(std::span<const std::byte>& rest) {
    FrameCursor in(rest);
    const std::uint8_t type = in.u8();
    Decoded frame = decode_frame(in, type);
    if (in.failed() && frame) return std::unexpected(FrameError::cut_off);
    if (frame) rest = {in.at(), in.end()};
    return frame;
}

std::size_t ranges_of(const AckFrame& ack, std::uint64_t largest, std::span<recovery::PacketRange> out) {
    FrameCursor in(ack.encoded);
    std::uint64_t last = largest;
    for (std::size_t i = 0; i < ack.ranges; ++i) {
        const std::uint64_t run = in.integer();
        if (run - 1 > last) return 0;
        out[i] = {last - (run - 1), last};
        if (i + 1u == ack.ranges) break;
        const std::uint64_t gap = in.integer();
        if (gap >= out[i].first) return 0;
        last = out[i].first - gap - 1;
    }
    return ack.ranges;
}

ChannelEnd channel_end(const CloseFrame& close, std::size_t index) {
    const std::byte* at = &close.ends[index * channel_end_bytes];
    return {load_le<std::uint8_t>(at), load_le<std::uint32_t>(at + 1)};
}

}  // namespace ringpost::native
