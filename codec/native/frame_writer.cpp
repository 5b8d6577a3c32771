// Each frame's size is computed first, and its place is taken only if it fits.

#include <algorithm>
#include <cstring>
#include <utility>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"
#include "codec/native/frame.hpp"

namespace ringpost::native {

std::byte* FrameWriter::begin(std::uint8_t type, std::size_t bytes) {
    if (room() < bytes) return nullptr;
    std::byte* at = std::exchange(at_, at_ + bytes);
    *at = std::byte{type};
    return at + 1;
}

bool FrameWriter::padding(std::size_t bytes) {
    if (room() < bytes) return false;
    std::memset(at_, 0, bytes);
    at_ += bytes;
    return true;
}

bool FrameWriter::ping() { return begin(FrameType::ping, 1) != nullptr; }
bool FrameWriter::immediate_ack() { return begin(FrameType::immediate_ack, 1) != nullptr; }

std::size_t FrameWriter::ack(std::span<const recovery::PacketRange> ranges, Duration delay, const EcnCounts* ecn) {
    constexpr std::size_t header_bytes = 8;
    const std::size_t ecn_bytes =
        ecn == nullptr ? 0
                       : integer_bytes(ecn->capable_0) + integer_bytes(ecn->capable_1) + integer_bytes(ecn->congestion);
    RINGPOST_CHECK(!ranges.empty());
    std::size_t bytes = header_bytes + ecn_bytes, count = 0;
    for (; count < std::min(ranges.size(), limits::native_ranges_sent_max); ++count) {
        std::size_t more = integer_bytes(ranges[count].last - ranges[count].first + 1);
        if (count > 0) more += integer_bytes(ranges[count - 1].first - ranges[count].last - 1);
        if (bytes + more > room()) break;
        bytes += more;
    }
    if (count == 0) return 0;
    std::byte* at = begin(ecn == nullptr ? FrameType::ack : FrameType::ack_ecn, bytes);
    store_le(at, static_cast<std::uint32_t>(ranges[0].last));
    store_le(at + 4, static_cast<std::uint16_t>(std::clamp<Duration>(delay / ack_delay_unit, 0, UINT16_MAX)));
    at[6] = static_cast<std::byte>(count);
    at += 7;
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) at = write_integer(at, ranges[i - 1].first - ranges[i].last - 1);
        at = write_integer(at, ranges[i].last - ranges[i].first + 1);
    }
    if (ecn != nullptr)
        for (const std::uint64_t packets : {ecn->capable_0, ecn->capable_1, ecn->congestion})
            at = write_integer(at, packets);
    return count;
}

bool FrameWriter::limit(FrameType type, std::uint8_t channel, std::uint64_t limit) {
    std::byte* at = begin(type, 2 + integer_bytes(limit));
    if (at == nullptr) return false;
    *at = std::byte{channel};
    write_integer(at + 1, limit);
    return true;
}

bool FrameWriter::window(std::uint8_t channel, std::uint64_t limit) {
    return this->limit(FrameType::window, channel, limit);
}
bool FrameWriter::blocked(std::uint8_t channel, std::uint64_t limit) {
    return this->limit(FrameType::blocked, channel, limit);
}

bool FrameWriter::path_challenge(const PathToken& token) {
    std::byte* at = begin(FrameType::path_challenge, 1 + token.size());
    if (at != nullptr) std::memcpy(at, token.data(), token.size());
    return at != nullptr;
}

bool FrameWriter::path_response(const PathToken& token) {
    std::byte* at = begin(FrameType::path_response, 1 + token.size());
    if (at != nullptr) std::memcpy(at, token.data(), token.size());
    return at != nullptr;
}

bool FrameWriter::new_id(const Id& id, const ResetToken& token) {
    std::byte* at = begin(FrameType::new_id, 1 + id_bytes + token.size());
    if (at == nullptr) return false;
    std::memcpy(at, &id, id_bytes);
    std::memcpy(at + id_bytes, token.data(), token.size());
    return true;
}

bool FrameWriter::retire_id(const Id& id) {
    std::byte* at = begin(FrameType::retire_id, 1 + id_bytes);
    if (at != nullptr) std::memcpy(at, &id, id_bytes);
    return at != nullptr;
}

bool FrameWriter::channel(const ChannelFrame& frame) {
    RINGPOST_CHECK(frame.priority <= 7 && frame.weight > 0 && frame.name.size() <= limits::native_name_bytes_max);
    std::byte* at = begin(FrameType::channel, 6 + integer_bytes(frame.window) + frame.name.size());
    if (at == nullptr) return false;
    for (const std::uint8_t field : {frame.channel, frame.kind, frame.priority, frame.weight}) *at++ = std::byte{field};
    at = write_integer(at, frame.window);
    *at++ = static_cast<std::byte>(frame.name.size());
    std::ranges::copy(frame.name, at);
    return true;
}

bool FrameWriter::skip(std::uint8_t channel, std::uint32_t number, std::uint64_t count) {
    RINGPOST_CHECK(count > 0);
    std::byte* at = begin(FrameType::skip, 6 + integer_bytes(count));
    if (at == nullptr) return false;
    *at = std::byte{channel};
    store_le(at + 1, number);
    write_integer(at + 5, count);
    return true;
}

bool FrameWriter::ack_rate(const AckRateFrame& frame) {
    RINGPOST_CHECK(frame.threshold > 0);
    std::byte* at = begin(FrameType::ack_rate, 9);
    if (at == nullptr) return false;
    const auto us = static_cast<std::uint32_t>(std::clamp<Duration>(frame.delay / microsecond, 0, 0xff'ffff));
    *at = std::byte{frame.sequence};
    store_le(at + 1, frame.threshold);
    store_le(at + 3, static_cast<std::uint16_t>(us));
    at[5] = static_cast<std::byte>(us >> 16);
    store_le(at + 6, frame.reordering);
    return true;
}

bool FrameWriter::close(std::uint16_t code, bool graceful, std::span<const ChannelEnd> ends,
                        std::span<const std::byte> reason) {
    RINGPOST_CHECK(ends.size() <= UINT8_MAX && reason.size() <= limits::native_reason_bytes_max);
    std::byte* at = begin(FrameType::close, close_header_bytes + ends.size() * channel_end_bytes + reason.size());
    if (at == nullptr) return false;
    store_le(at, code);
    at[2] = static_cast<std::byte>(graceful);
    at[3] = static_cast<std::byte>(ends.size());
    at += 4;
    for (const ChannelEnd& end : ends) {
        *at = std::byte{end.channel};
        store_le(at + 1, end.number);
        at += channel_end_bytes;
    }
    *at++ = static_cast<std::byte>(reason.size());
    std::ranges::copy(reason, at);
    return true;
}

bool FrameWriter::closed(std::uint16_t code, bool delivered) {
    std::byte* at = begin(FrameType::closed, 4);
    if (at == nullptr) return false;
    store_le(at, code);
    at[2] = static_cast<std::byte>(delivered);
    return true;
}

bool FrameWriter::reserved(std::uint8_t type, std::span<const std::byte> bytes) {
    RINGPOST_CHECK(type >= 0x10 && type <= 0x3e && type % 2 == 0);
    std::byte* at = begin(type, 1 + integer_bytes(bytes.size()) + bytes.size());
    if (at == nullptr) return false;
    std::ranges::copy(bytes, write_integer(at, bytes.size()));
    return true;
}

std::byte* FrameWriter::messages(FrameType type, std::uint8_t channel, std::uint32_t first, std::uint8_t count,
                                 std::size_t body_bytes) {
    std::byte* at = begin(type, messages_header_bytes + body_bytes);
    if (at == nullptr) return nullptr;
    *at = std::byte{channel};
    store_le(at + 1, first);
    at[5] = std::byte{count};
    return at + 6;
}

std::byte* FrameWriter::fragment(FrameType type, std::uint8_t channel, std::uint32_t number, std::uint32_t total,
                                 std::uint32_t offset, std::uint16_t bytes) {
    std::byte* at = begin(type, fragment_header_bytes + bytes);
    if (at == nullptr) return nullptr;
    *at = std::byte{channel};
    store_le(at + 1, number);
    store_le(at + 5, total);
    store_le(at + 9, offset);
    store_le(at + 13, bytes);
    return at + 15;
}

bool FrameWriter::latest(const LatestFrame& frame) {
    const std::size_t bytes = 6 + integer_bytes(frame.key) + integer_bytes(frame.bytes.size()) + frame.bytes.size();
    std::byte* at = begin(FrameType::latest, bytes);
    if (at == nullptr) return false;
    *at = std::byte{frame.channel};
    at = write_integer(at + 1, frame.key);
    store_le(at, frame.number);
    std::ranges::copy(frame.bytes, write_integer(at + 4, frame.bytes.size()));
    return true;
}

}  // namespace ringpost::native
