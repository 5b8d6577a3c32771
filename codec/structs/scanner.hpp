#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/structs/frame.hpp>

namespace ringpost::structs {

/// XOR over ranges of a span, which must be requested in ascending order of their start. Each byte is read once for all
/// ranges, plus at most 2 * block_bytes per range. A range may have up to packet_bytes_max bytes.
class StretchXor {
  public:
    std::byte of(std::span<const std::byte> bytes, std::size_t from, std::size_t until);

  private:
    static constexpr std::size_t block_bytes = 64, marks = 2'048;
    static_assert(marks * block_bytes >= packet_bytes_max + 2 * block_bytes);

    std::byte& mark(std::size_t block) { return marks_[block % marks]; }

    std::size_t marked_ = 0;              ///< the newest block with a mark
    std::array<std::byte, marks> marks_;  ///< per block: XOR of all bytes before it, from where marking started
};

/// Finds the packets in a span in one pass, regardless of other bytes before, between and behind them.
///
/// If a magic does not start a valid packet, the search continues one byte behind its start, so damage does not hide a
/// packet that follows. The time is linear in the length of the span: a failed magic has a constant cost, even if its
/// size field covers 64 KiB and the span is full of them (see scanner.cpp).
class Scanner {
  public:
    struct Found {
        std::size_t offset = 0;  ///< of the magic
        std::expected<Packet, FrameError> packet;
    };

    /// `bytes` must outlive the scanner; packets are views of it.
    explicit Scanner(std::span<const std::byte> bytes) : bytes_(bytes) {}

    /// The next packet, or the next magic that starts none, with the reason (never no_magic). Returns nullopt at the
    /// end.
    std::optional<Found> next();

    /// Number of bytes passed so far that belong to no packet.
    std::size_t skipped() const { return skipped_; }

  private:
    std::byte check_of(std::size_t from, std::size_t until);

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;  ///< where the search continues
    std::size_t skipped_ = 0;
    std::size_t failed_until_ = 0;  ///< end of the last payload that failed its checksum
    StretchXor stretches_;
};

}  // namespace ringpost::structs
