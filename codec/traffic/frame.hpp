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

/// The fields of the frame of at least frame_bytes_min at `at`, unverified.
inline Frame header_of(const std::byte* at) {
    return {.stream = load_le<std::uint32_t>(at + 4),
            .sequence = load_le<std::uint64_t>(at + 8),
            .due = static_cast<Instant>(load_le<std::uint64_t>(at + 16))};
}

/// Returns nullopt if `bytes` are too few, the CRC does not match, or the sequence is out of range.
inline std::optional<Frame> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < frame_bytes_min) return std::nullopt;
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4))) return std::nullopt;
    const Frame frame = header_of(bytes.data());
    if (frame.sequence >= sequence_end) return std::nullopt;
    return frame;
}

/// The stream of a valid frame.
inline std::uint32_t stream_of(std::span<const std::byte> frame) { return load_le<std::uint32_t>(&frame[4]); }

/// The first `count` bytes of the fill, which is the same in every frame; at most what the largest frame has. They are
/// constant.
std::span<const std::byte> fill_of(std::size_t count);

/// Writes the header of one frame of out.size() bytes, at least frame_bytes_min, in front of its fill, which must be in
/// place. Reads every byte; intended for frames of varying size.
void encode(const Frame& frame, std::span<std::byte> out);

/// Writes the headers of frames in front of one fill. The fill's contribution to the CRC is added by Crc32cSuffix, so
/// the cost of a frame does not depend on its size. CRC is linear: frames that differ only in the lowest byte of the
/// sequence have CRCs that differ by a constant per byte value, and so for the lower bytes of the due time. Tables keep
/// these constants.
class HeaderWriter {
  public:
    explicit HeaderWriter(std::span<const std::byte> fill);

    std::size_t frame_bytes() const { return frame_bytes_; }

    /// Writes `count` headers frame_bytes() apart: `first`, and its successors in sequence with the same stream and due
    /// time.
    void write(std::byte* out, const Frame& first, std::size_t count) const;

    /// The same with a due time for each: due_of(0), due_of(1), ... instead of that of `first`.
    template <class DueOf>
    [[gnu::flatten]] void write_each(std::byte* out, const Frame& first, std::size_t count, DueOf&& due_of) const {
        constexpr std::uint64_t low_byte = 0xff;
        Frame upper;  // what the tables do not cover
        std::uint64_t stream_and_crc = 0;
        for (std::size_t i = 0; i < count; ++i, out += frame_bytes_) {
            const std::uint64_t sequence = first.sequence + i, upper_sequence = sequence & ~low_byte;
            const auto due = static_cast<std::uint64_t>(due_of(i));
            const auto upper_due = static_cast<Instant>(due & ~due_mask);
            if (i == 0 || upper_sequence != upper.sequence || upper_due != upper.due) {
                upper = {first.stream, upper_sequence, upper_due};
                stream_and_crc = head_of(upper);
            }
            const std::uint32_t crc =
                low_byte_[sequence & low_byte] ^ due_bytes_[0][due & low_byte] ^ due_bytes_[1][due >> 8 & low_byte];
            store_le<std::uint64_t>(out, stream_and_crc ^ crc);
            store_le<std::uint64_t>(out + 8, sequence);
            store_le<std::uint64_t>(out + 16, due);
        }
    }

  private:
    using Table = std::array<std::uint32_t, 256>;
    static constexpr std::size_t due_bytes = 2;
    static constexpr std::uint64_t due_mask = (1ull << 8 * due_bytes) - 1;

    std::uint32_t frame_crc(const Frame& frame) const;
    /// The first eight bytes of a frame: CRC and stream.
    std::uint64_t head_of(const Frame& frame) const { return std::uint64_t{frame.stream} << 32 | frame_crc(frame); }

    std::size_t frame_bytes_;
    Crc32cSuffix fill_crc_;
    Table low_byte_;                          ///< contribution of the sequence's lowest byte to the CRC
    std::array<Table, due_bytes> due_bytes_;  ///< of the lowest bytes of the due time
};

/// Writes frames of one size, whose fill is written to a buffer once.
class FrameWriter {
  public:
    /// `frame_bytes` must be in [frame_bytes_min, limits::datagram_bytes_max].
    explicit FrameWriter(std::size_t frame_bytes) : fill_(fill_of(frame_bytes - frame_bytes_min)), headers_(fill_) {}

    std::size_t frame_bytes() const { return headers_.frame_bytes(); }

    /// Writes the fill of `count` consecutive frames to `out`, which must hold them.
    void prepare(std::span<std::byte> out, std::size_t count) const;

    /// Writes the headers of `count` consecutive frames over fill written by prepare(): `first`, and its successors in
    /// sequence with the same stream and due time.
    void write(std::byte* out, const Frame& first, std::size_t count) const { headers_.write(out, first, count); }
    /// The same, with a due time for each frame: those of `dues`, each later by `offset`.
    void write_due(std::byte* out, const Frame& first, std::span<const Instant> dues, Duration offset) const {
        headers_.write_each(out, first, dues.size(), [&](std::size_t i) { return dues[i] + offset; });
    }

  private:
    std::span<const std::byte> fill_;
    HeaderWriter headers_;
};

}  // namespace ringpost::traffic
