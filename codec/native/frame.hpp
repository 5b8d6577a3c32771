#pragma once

// The frames of the native transport, version 1: what is inside a sealed packet. This file pair alone knows their
// layouts. Integers are little-endian; `int` is the variable size of integer.hpp.
//
//     type   layout after the type, one byte
//     00     PAD            nothing; any number of them
//     01     PING           nothing
//     02     IMMEDIATE_ACK  nothing
//     03     ACK            largest u32, delay u16 in 8 us, ranges u8 (1 to 64), run int, then for each further range
//                           gap int and run int. A run is a number of packets received, a gap one of packets missing
//                           below it; both are at least 1.
//     04     ACK_ECN        the same, then three int: packets received with ECT(0), ECT(1) and CE
//     05 06  WINDOW, BLOCKED              channel u8 (ff: the connection), limit int
//     07 08  PATH_CHALLENGE, PATH_RESPONSE  8 bytes
//     09     NEW_ID         id 7 bytes, token 16 bytes
//     0a     RETIRE_ID      id 7 bytes
//     0b     CHANNEL        channel u8, kind u8, priority u8 (0 to 7), weight u8 (at least 1), window int, name length
//                           u8 (at most 64), name
//     0c     SKIP           channel u8, number u32, count int (at least 1)
//     0d     ACK_RATE       sequence u8, threshold u16 (at least 1), delay u24 in us, reordering u16
//     0e     CLOSE          code u16, graceful u8 (0 or 1), channels u8, then for each channel u8 (ascending) and the
//                           number u32 of messages sent on it; reason length u8, reason
//     0f     CLOSED         code u16, delivered u8 (0 or 1)
//     10-3e  even: reserved; length int, and as many bytes, which are skipped. Odd ones are an error.
//     40 42  MESSAGES       channel u8, first number u32, count u8 (at least 1), count times length int and bytes
//     41 43  MESSAGES       channel u8, first number u32, count u8 (at least 1), length int, count times bytes
//                           42 and 43 are not sent again.
//     48 49  FRAGMENT       channel u8, number u32, total u32, offset u32, length u16 (at least 1), bytes.
//                           49 is not sent again.
//     50     LATEST         channel u8, key int, number u32, length int, bytes

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <variant>

#include <ringpost/native/run.hpp>
#include <ringpost/time.hpp>
#include "codec/native/limits.hpp"
#include "codec/native/packet.hpp"
#include "codec/recovery/ranges.hpp"

namespace ringpost::native {

/// In place of a channel: the whole connection.
inline constexpr std::uint8_t whole_connection = 0xff;

/// Size of the units in which an ACK reports its delay.
inline constexpr Duration ack_delay_unit = 8 * microsecond;

/// Bytes of a MESSAGES frame before the first length, and of a FRAGMENT before its bytes.
inline constexpr std::size_t messages_header_bytes = 7;
inline constexpr std::size_t fragment_header_bytes = 16;

/// Bytes of a CLOSE without channels and reason, and of each channel's entry.
inline constexpr std::size_t close_header_bytes = 6;
inline constexpr std::size_t channel_end_bytes = 5;

enum class FrameType : std::uint8_t {
    padding = 0x00,
    ping = 0x01,
    immediate_ack = 0x02,
    ack = 0x03,
    ack_ecn = 0x04,
    window = 0x05,
    blocked = 0x06,
    path_challenge = 0x07,
    path_response = 0x08,
    new_id = 0x09,
    retire_id = 0x0a,
    channel = 0x0b,
    skip = 0x0c,
    ack_rate = 0x0d,
    close = 0x0e,
    closed = 0x0f,
    messages = 0x40,
    messages_of_one_length = 0x41,
    messages_once = 0x42,
    messages_of_one_length_once = 0x43,
    fragment = 0x48,
    fragment_once = 0x49,
    latest = 0x50,
};

using PathToken = std::array<std::byte, 8>;
using ResetToken = std::array<std::byte, 16>;

struct PaddingFrame {
    std::size_t bytes = 0;
};
struct PingFrame {};
struct ImmediateAckFrame {};
struct EcnCounts {
    std::uint64_t capable_0 = 0, capable_1 = 0, congestion = 0;
    bool operator==(const EcnCounts&) const = default;
};
struct AckFrame {
    std::uint32_t largest = 0;  ///< low half of the number
    Duration delay = 0;         ///< ns; a multiple of ack_delay_unit
    std::uint8_t ranges = 0;
    std::span<const std::byte> encoded;  ///< the runs and gaps, checked; for ranges_of()
    bool has_ecn = false;
    EcnCounts ecn;
};
struct WindowFrame {
    std::uint8_t channel = 0;
    std::uint64_t limit = 0;
};
struct BlockedFrame {
    std::uint8_t channel = 0;
    std::uint64_t limit = 0;
};
struct PathChallengeFrame {
    PathToken token{};
};
struct PathResponseFrame {
    PathToken token{};
};
struct NewIdFrame {
    Id id;
    ResetToken token{};
};
struct RetireIdFrame {
    Id id;
};
struct ChannelFrame {
    std::uint8_t channel = 0, kind = 0, priority = 0, weight = 1;
    std::uint64_t window = 0;
    std::span<const std::byte> name;
};
struct SkipFrame {
    std::uint8_t channel = 0;
    std::uint32_t number = 0;
    std::uint64_t count = 0;
};
struct AckRateFrame {
    std::uint8_t sequence = 0;
    std::uint16_t threshold = 1;  ///< packets that elicit an acknowledgement before it is due
    Duration delay = 0;           ///< ns; below 2^24 us
    std::uint16_t reordering = 1;
};
/// How many messages were sent on a channel, low half.
struct ChannelEnd {
    std::uint8_t channel = 0;
    std::uint32_t number = 0;
    bool operator==(const ChannelEnd&) const = default;
};
struct CloseFrame {
    std::uint16_t code = 0;
    bool graceful = false;
    std::uint8_t channels = 0;
    std::span<const std::byte> ends;  ///< encoded, checked; for channel_end()
    std::span<const std::byte> reason;
};
struct ClosedFrame {
    std::uint16_t code = 0;
    bool delivered = false;
};
struct ReservedFrame {
    std::uint8_t type = 0;
    std::span<const std::byte> bytes;
};
struct MessagesFrame {
    std::uint8_t channel = 0;
    bool once = false;
    std::uint32_t first = 0;
    Run run;
};
struct FragmentFrame {
    std::uint8_t channel = 0;
    bool once = false;
    std::uint32_t number = 0, total = 0, offset = 0;
    std::span<const std::byte> bytes;
};
struct LatestFrame {
    std::uint8_t channel = 0;
    std::uint64_t key = 0;
    std::uint32_t number = 0;
    std::span<const std::byte> bytes;
};

using Frame = std::variant<MessagesFrame, AckFrame, PaddingFrame, PingFrame, ImmediateAckFrame, WindowFrame,
                           BlockedFrame, PathChallengeFrame, PathResponseFrame, NewIdFrame, RetireIdFrame, ChannelFrame,
                           SkipFrame, AckRateFrame, CloseFrame, ClosedFrame, ReservedFrame, FragmentFrame, LatestFrame>;

enum class FrameError : std::uint8_t {
    unknown_type,
    cut_off,      ///< the packet ends within the frame, or an integer is not in its shortest form
    value_range,  ///< a field has a value that it cannot have
};

/// Takes the frame at the front of `rest`, which must not be empty, off it. Views point into `rest`.
std::expected<Frame, FrameError> take_frame(std::span<const std::byte>& rest);

/// The ranges of an ACK from the newest to the oldest, given its full largest number. Returns their count; 0 if one of
/// them would begin below 0. `out` holds limits::native_ranges_sent_max.
std::size_t ranges_of(const AckFrame& ack, std::uint64_t largest, std::span<recovery::PacketRange> out);

/// The entry `index` of a CLOSE.
ChannelEnd channel_end(const CloseFrame& close, std::size_t index);

/// Writes frames one after another. A frame that does not fit is not written at all, and the function returns false.
class FrameWriter {
  public:
    explicit FrameWriter(std::span<std::byte> out) : begin_(out.data()), at_(begin_), end_(begin_ + out.size()) {}

    std::size_t bytes() const { return static_cast<std::size_t>(at_ - begin_); }
    std::size_t room() const { return static_cast<std::size_t>(end_ - at_); }

    bool padding(std::size_t bytes);
    bool ping();
    bool immediate_ack();
    /// As many of `ranges`, from the newest to the oldest, as fit and are allowed. Returns how many; 0: there is no
    /// room.
    std::size_t ack(std::span<const recovery::PacketRange> ranges, Duration delay, const EcnCounts* ecn = nullptr);
    bool window(std::uint8_t channel, std::uint64_t limit);
    bool blocked(std::uint8_t channel, std::uint64_t limit);
    bool path_challenge(const PathToken& token);
    bool path_response(const PathToken& token);
    bool new_id(const Id& id, const ResetToken& token);
    bool retire_id(const Id& id);
    bool channel(const ChannelFrame& frame);
    bool skip(std::uint8_t channel, std::uint32_t number, std::uint64_t count);
    bool ack_rate(const AckRateFrame& frame);
    bool close(std::uint16_t code, bool graceful, std::span<const ChannelEnd> ends, std::span<const std::byte> reason);
    bool closed(std::uint16_t code, bool delivered);
    bool reserved(std::uint8_t type, std::span<const std::byte> bytes);
    /// The header of a MESSAGES; the caller writes `body_bytes` of messages at the returned place. nullptr: no room.
    std::byte* messages(FrameType type, std::uint8_t channel, std::uint32_t first, std::uint8_t count,
                        std::size_t body_bytes);
    /// The header of a FRAGMENT; the caller writes `bytes` at the returned place. nullptr: no room.
    std::byte* fragment(FrameType type, std::uint8_t channel, std::uint32_t number, std::uint32_t total,
                        std::uint32_t offset, std::uint16_t bytes);
    bool latest(const LatestFrame& frame);

  private:
    /// The place of a frame of `bytes` with its type; nullptr if it does not fit.
    std::byte* begin(std::uint8_t type, std::size_t bytes);
    std::byte* begin(FrameType type, std::size_t bytes) { return begin(static_cast<std::uint8_t>(type), bytes); }
    bool limit(FrameType type, std::uint8_t channel, std::uint64_t limit);

    std::byte* begin_;
    std::byte* at_;
    std::byte* end_;
};

}  // namespace ringpost::native
