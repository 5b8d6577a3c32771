#pragma once

// The payload that `ringpost load` and `ringpost latency` send. Integers little-endian:
//
//     offset  bytes
//          0      4   CRC-32C of every byte that follows
//          4      4   stream: one sender's flow in one run, drawn at random
//          8      8   sequence: 0, 1, 2, ... within the stream, below 2^48
//         16      8   due: when it was meant to leave, in nanoseconds on the sender's monotonic clock; or since 1970,
//                     when both ends are told so
//         24    ...   fill: the same bytes at the same offset in every datagram

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/bytes.hpp"
#include "codec/base/crc32c.hpp"

namespace ringpost::traffic {

inline constexpr std::size_t frame_bytes_min = 24;
/// Streams of answers (AnsweringSink) have this bit, those of senders do not: an answer is never answered, or two ends
/// that answer would go on for ever.
inline constexpr std::uint32_t answer_stream_bit = 1u << 31;
inline constexpr std::uint64_t sequence_end = 1ull << 48;

struct Frame {
    std::uint32_t stream = 0;
    std::uint64_t sequence = 0;
    Instant due = 0;
    bool operator==(const Frame&) const = default;
};

/// The frame in `bytes`, or nothing when it is too short, its CRC does not fit, or its sequence is out of range.
inline std::optional<Frame> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < frame_bytes_min) return std::nullopt;
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4))) return std::nullopt;
    Frame frame{.stream = load_le<std::uint32_t>(&bytes[4]),
                .sequence = load_le<std::uint64_t>(&bytes[8]),
                .due = static_cast<Instant>(load_le<std::uint64_t>(&bytes[16]))};
    if (frame.sequence >= sequence_end) return std::nullopt;
    return frame;
}

/// The stream of a frame that decode() takes.
inline std::uint32_t stream_of(std::span<const std::byte> frame) { return load_le<std::uint32_t>(&frame[4]); }

/// The first `count` bytes of every frame's fill.
std::vector<std::byte> make_fill(std::size_t count);

/// Writes the head of one frame of out.size() bytes, at least frame_bytes_min, before the fill that stands there
/// already. For frames whose sizes differ: it reads every byte.
void encode(const Frame& frame, std::span<std::byte> out);

/// Writes frames of one size. The fill never changes, so it is written into a buffer once, and its share of the CRC is
/// added by Crc32cSuffix: a frame costs the same to make whatever its size. CRC is linear, so frames that differ only
/// in the lowest byte of their sequence have CRCs that differ by a constant of that byte, and that is kept in a table.
class FrameWriter {
  public:
    /// `frame_bytes` in [frame_bytes_min, limits::datagram_bytes_max].
    explicit FrameWriter(std::size_t frame_bytes);

    std::size_t frame_bytes() const { return frame_bytes_; }

    /// Lays the fill of `count` consecutive frames into `out`, which holds at least that many.
    void prepare(std::span<std::byte> out, std::size_t count) const;

    /// Writes the heads of `count` consecutive frames over fill laid by prepare(): `first`, and those that follow it in
    /// sequence with the same stream and due time.
    void write(std::byte* out, const Frame& first, std::size_t count) const;

  private:
    std::uint32_t frame_crc(const Frame& frame) const;

    std::size_t frame_bytes_;
    std::vector<std::byte> fill_;
    Crc32cSuffix fill_crc_;
    std::array<std::uint32_t, 256> low_byte_;  ///< what a sequence's lowest byte adds to the CRC
};

}  // namespace ringpost::traffic
