#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "codec/structs/frame.hpp"

namespace ringpost::structs {

/// The XOR of stretches of some bytes, asked for by ascending start: each byte is read once for all of them, and at
/// most 2 * block_bytes anew for each. Of a stretch of up to packet_bytes_max.
class StretchXor {
  public:
    std::byte of(std::span<const std::byte> bytes, std::size_t from, std::size_t until);

  private:
    static constexpr std::size_t block_bytes = 64, marks = 2'048;
    static_assert(marks * block_bytes >= packet_bytes_max + 2 * block_bytes);

    std::byte& mark(std::size_t block) { return marks_[block % marks]; }

    std::size_t marked_ = 0;              ///< the newest block that has a mark
    std::array<std::byte, marks> marks_;  ///< of a block: the XOR of all before it, back to where the marking began
};

/// Finds the packets in a span, whatever stands before, between and behind them, in one pass.
///
/// Where a magic turns out not to begin a packet, the search goes on one byte after its start, so damage costs no
/// packet that follows it. The time is linear in the span's length: a magic that fails costs a constant, even if it
/// tells of 64 KiB in a span full of such (see scanner.cpp).
class Scanner {
  public:
    struct Found {
        std::size_t offset = 0;  ///< of the magic
        std::expected<Packet, FrameError> packet;
    };

    /// `bytes` must stay; the packets found are views of it.
    explicit Scanner(std::span<const std::byte> bytes) : bytes_(bytes) {}

    /// The next packet, or the next magic that begins none and why (never no_magic); nothing at the end.
    std::optional<Found> next();

    /// Bytes passed so far that belong to no packet; at the end, all of these.
    std::size_t skipped() const { return skipped_; }

  private:
    std::byte check_of(std::size_t from, std::size_t until);

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;  ///< where the search goes on
    std::size_t skipped_ = 0;
    std::size_t failed_until_ = 0;  ///< the end of the last payload that was read in vain
    StretchXor stretches_;
};

}  // namespace ringpost::structs
