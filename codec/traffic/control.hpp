#pragma once

// The control channel between `ringpost load` and `ringpost sink`: small datagrams on the same path as the frames. All
// have one size, so that an answer is never larger than what it answers. Integers are little-endian:
//
//     offset  bytes
//          0      4   CRC-32C of all following bytes, inverted: no frame (frame.hpp) has such a CRC
//          4      4   stream that is asked about
//          8      8   cookie: random in a request, repeated in its answer
//         16      1   kind
//         17      7   zero
//         24     64   eight numbers, see the kinds; those that a kind does not use are zero

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ringpost::traffic {

inline constexpr std::size_t control_bytes = 88;
inline constexpr std::size_t control_numbers = 8;

enum class ControlKind : std::uint8_t {
    ask_counts = 1,   ///< no numbers
    counts = 2,       ///< StreamCounts in the order of its members; then 1 if the stream may have been forgotten
    ask_reverse = 3,  ///< ReverseRequest (reverse.hpp)
    reverse = 4,      ///< ReverseAnswer
    ask_clock = 5,    ///< no numbers
    clock = 6,        ///< the wall clock in nanoseconds since 1970, of a sink that records one-way times
};

struct Control {
    ControlKind kind = ControlKind::ask_counts;
    std::uint32_t stream = 0;
    std::uint64_t cookie = 0;
    std::array<std::uint64_t, control_numbers> numbers{};
    bool operator==(const Control&) const = default;
};

/// Null if the bytes are anything else.
std::optional<Control> decode_control(std::span<const std::byte> bytes);
/// Writes control_bytes at the front of `out`.
void encode_control(const Control& control, std::span<std::byte> out);

/// What a sink knows of one stream, and of its sender where `corrupt` is concerned: a broken frame names no stream.
struct StreamCounts {
    std::uint64_t received = 0;   ///< distinct frames
    std::uint64_t missing = 0;    ///< below `end`
    std::uint64_t end = 0;        ///< one past the highest sequence
    std::uint64_t duplicate = 0;  ///< not in `received`
    std::uint64_t reordered = 0;  ///< part of `received`
    std::uint64_t corrupt = 0;
    bool operator==(const StreamCounts&) const = default;
};

/// The answer to `request`.
Control counts_answer(const Control& request, const StreamCounts& counts, bool forgotten);
/// The counts of an answer that can be true of a stream of which `sent` frames were sent; null if the sink may have
/// forgotten it. An answer that contradicts itself or `sent` is false.
struct CountsAnswer {
    bool credible = false;
    std::optional<StreamCounts> counts;
};
CountsAnswer counts_of(const Control& answer, std::uint64_t sent);

}  // namespace ringpost::traffic
