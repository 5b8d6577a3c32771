#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "codec/base/check.hpp"

namespace ringpost::traffic {

enum class Arrival : std::uint8_t {
    in_order,   ///< the expected one, or a later one that leaves a gap
    reordered,  ///< fills a gap
    duplicate,  ///< already received, or too old to decide
};

/// Classifies the sequence numbers received in one stream with a bitmap of the newest ones, less up to one 64-bit word
/// that is being reused. An older sequence cannot be distinguished from a duplicate and is reported as one, so the
/// number of distinct datagrams is never overestimated.
class SequenceWindow {
  public:
    /// A bit for each sequence of the window, a power of two of words. They may hold anything, and stay the caller's.
    explicit SequenceWindow(std::span<std::uint64_t> words) : words_(words.data()), mask_(words.size() - 1) {
        RINGPOST_CHECK(std::has_single_bit(words.size()));
    }

    /// How many sequences the window holds.
    std::uint64_t size() const { return 64 * (std::uint64_t{mask_} + 1); }

    /// Ignores sequences below `sequence`. Must be called before record().
    void begin_at(std::uint64_t sequence) {
        end_ = sequence;
        begin_ = sequence;
        word(sequence) = 0;
    }

    Arrival record(std::uint64_t sequence) {
        if (sequence >= end_) {
            record_new(sequence, 1);
            return Arrival::in_order;
        }
        if (sequence < begin_ || end_ - sequence > size() - 64 || (word(sequence) & bit(sequence)) != 0)
            return Arrival::duplicate;
        word(sequence) |= bit(sequence);
        ++distinct_;
        return Arrival::reordered;
    }

    /// The same as record() of `count` sequences from `first` on, of which none is below end(); at most size() - 64.
    void record_new(std::uint64_t first, std::uint64_t count) {
        const std::uint64_t stop = first + count;
        wipe_up_to(stop - 1);
        for (std::uint64_t at = first; at < stop;) {
            const std::uint64_t here = std::min(stop - at, 64 - at % 64);
            word(at) |= (~0ull >> (64 - here)) << (at % 64);
            at += here;
        }
        end_ = stop;
        distinct_ += count;
    }

    /// All sequences below it have been received or are missing.
    std::uint64_t end() const { return end_; }
    std::uint64_t distinct() const { return distinct_; }
    std::uint64_t missing() const { return end_ - begin_ - distinct_; }

  private:
    static std::uint64_t bit(std::uint64_t sequence) { return 1ull << (sequence % 64); }
    std::uint64_t& word(std::uint64_t sequence) { return words_[sequence / 64 & mask_]; }

    /// Clears the words that are entered now, which hold marks from one window ago; at most all of them.
    void wipe_up_to(std::uint64_t sequence) {
        const std::uint64_t first = (end_ + 63) / 64, stop = sequence / 64 + 1;
        const std::uint64_t count = stop > first ? std::min(stop - first, std::uint64_t{mask_} + 1) : 0;
        for (std::uint64_t i = 0; i < count; ++i) words_[(first + i) & mask_] = 0;
    }

    std::uint64_t* words_;
    std::size_t mask_;
    std::uint64_t begin_ = 0, end_ = 0, distinct_ = 0;
};

}  // namespace ringpost::traffic
