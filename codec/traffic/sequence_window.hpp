#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {

enum class Arrival : std::uint8_t {
    in_order,   ///< the expected one, or a later one that leaves a gap
    reordered,  ///< fills a gap
    duplicate,  ///< already received, or too old to decide
};

/// Classifies the sequence numbers received in one stream with a bitmap of the newest load_window_sequences, less up to
/// one 64-bit word that is being reused. An older sequence cannot be distinguished from a duplicate and is reported as
/// one, so the number of distinct datagrams is never overestimated.
class SequenceWindow {
  public:
    /// Ignores sequences below `sequence`. Must be called before record().
    void begin_at(std::uint64_t sequence) {
        end_ = sequence;
        begin_ = sequence;
    }

    Arrival record(std::uint64_t sequence) {
        if (sequence >= end_) {
            wipe_up_to(sequence);
            word(sequence) |= bit(sequence);
            end_ = sequence + 1;
            ++distinct_;
            return Arrival::in_order;
        }
        if (sequence < begin_ || end_ - sequence > size - 64 || (word(sequence) & bit(sequence)) != 0)
            return Arrival::duplicate;
        word(sequence) |= bit(sequence);
        ++distinct_;
        return Arrival::reordered;
    }

    /// All sequences below it have been received or are missing.
    std::uint64_t end() const { return end_; }
    std::uint64_t distinct() const { return distinct_; }
    std::uint64_t missing() const { return end_ - begin_ - distinct_; }

  private:
    static constexpr std::uint64_t size = limits::load_window_sequences;

    static std::uint64_t bit(std::uint64_t sequence) { return 1ull << (sequence % 64); }
    std::uint64_t& word(std::uint64_t sequence) { return words_[sequence / 64 % (size / 64)]; }

    /// Clears the words that are entered now, which hold marks from one window ago; at most all of them.
    void wipe_up_to(std::uint64_t sequence) {
        const std::uint64_t first = (end_ + 63) / 64, stop = sequence / 64 + 1;
        const std::uint64_t count = stop > first ? std::min(stop - first, size / 64) : 0;
        for (std::uint64_t i = 0; i < count; ++i) words_[(first + i) % (size / 64)] = 0;
    }

    std::uint64_t begin_ = 0, end_ = 0, distinct_ = 0;
    std::array<std::uint64_t, size / 64> words_{};
};

}  // namespace ringpost::traffic
