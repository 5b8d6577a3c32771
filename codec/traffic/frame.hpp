#pragma once

// The payload that `ringpost load` and `ringpost latency` send. Integers are little-endian:
//
//     offset  bytes
//          0      4   CRC-32C of all following bytes
//          4      4   stream: identifies one flow of a sender in one run, random
//          8      8   sequence: 0, 1, 2, ... within the stream, below 2^48
//         16      8   due: intended send time in nanoseconds, on the sender's monotonic clock, or since 1970 if
//                     both ends are configured so
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
/// Set in the stream of replies (AnsweringSink), clear in those of senders. Replies are never answered; otherwise two
/// answering ends would loop.
inline constexpr std::uint32_t answer_stream_bit = 1u << 31;
inline constexpr std::uint64_t sequence_end = 1ull << 48;

struct Frame {
    std::uint32_t stream = 0;
    std::uint64_t sequence = 0;
    Instant due = 0;
    bool operator==(const Frame&) const = default;
};

/// Returns nullopt if `bytes` are too few, the CRC does not match, or the sequence is out of range.
inline std::optional<Frame> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < frame_bytes_min) return std::nullopt;
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4))) return std::nullopt;
    Frame frame{.stream = load_le<std::uint32_t>(&bytes[4]),
                .sequence = load_le<std::uint64_t>(&bytes[8]),
                .due = static_cast<Instant>(load_le<std::uint64_t>(&bytes[16]))};
    if (frame.sequence >= sequence_end) return std::nullopt;
    return frame;
}

/// The stream of a valid frame.
inline std::uint32_t stream_of(std::span<const std::byte> frame) { return load_le<std::uint32_t>(&frame[4]); }

/// The first `count` bytes of the fill, which is the same in every frame.
std::vector<std::byte> make_fill(std::size_t count);

/// Writes the header of one frame of out.size() bytes, at least frame_bytes_min, in front of its fill, which must be in
/// place. Reads every byte; intended for frames of varying size.
void encode(const Frame& frame, std::span<std::byte> out);

/// Writes frames of one size. The fill is written to a buffer once, and its contribution to the CRC is added by
/// Crc32cSuffix, so the cost of a frame does not depend on its size. CRC is linear: frames that differ only in the
/// lowest byte of the sequence have CRCs that differ by a constant per byte value, which is kept in a table.
class FrameWriter {
  public:
    /// `frame_bytes` must be in [frame_bytes_min, limits::datagram_bytes_max].
    explicit FrameWriter(std::size_t frame_bytes);

    std::size_t frame_bytes() const { return frame_bytes_; }

    /// Writes the fill of `count` consecutive frames to `out`, which must hold them.
    void prepare(std::span<std::byte> out, std::size_t count) const;

    /// Writes the headers of `count` consecutive frames over fill written by prepare(): `first`, and its successors in
    /// sequence with the same stream and due time.
    void write(std::byte* out, const Frame& first, std::size_t count) const;

  private:
    std::uint32_t frame_crc(const Frame& frame) const;

    std::size_t frame_bytes_;
    std::vector<std::byte> fill_;
    Crc32cSuffix fill_crc_;
    std::array<std::uint32_t, 256> low_byte_;  ///< contribution of the sequence's lowest byte to the CRC
};

}  // namespace ringpost::traffic
