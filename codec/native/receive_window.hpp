#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "codec/base/check.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost::native {

/// Which packet numbers have been received: a bit for each of the newest ones, in a ring. A number that was received,
/// or is too old to know, is refused before anything is decrypted, so this is the protection against replays as well.
/// Source of the construction: RFC 6479.
class ReceiveWindow {
  public:
    enum class Answer : std::uint8_t { fresh, duplicate, too_old };

    /// `packets`: a power of two, at least 128. A word of 64 is in use for what comes next.
    /// `first`: the number of the first packet.
    explicit ReceiveWindow(std::uint32_t packets, std::uint64_t first = 0)
        : words_(packets / 64), mask_(packets / 64 - 1), next_(first) {
        RINGPOST_CHECK(std::has_single_bit(packets) && packets >= 128);
    }

    /// The successor of the highest number received.
    std::uint64_t next() const { return next_; }
    std::uint64_t packets() const { return 64 * (mask_ + 1); }

    Answer ask(std::uint64_t number) const {
        if (number >= next_) return Answer::fresh;
        if (next_ - number > packets() - 64) return Answer::too_old;
        return (words_[number / 64 & mask_] >> number % 64 & 1) != 0 ? Answer::duplicate : Answer::fresh;
    }

    /// Records a number that is fresh, once its packet has proven authentic.
    void record(std::uint64_t number) {
        if (number >= next_) {
            // The words that are entered hold marks of one window ago.
            const std::uint64_t first = (next_ + 63) / 64, last = number / 64;
            if (last >= first) {
                const std::uint64_t count = std::min<std::uint64_t>(last - first + 1, mask_ + 1);
                for (std::uint64_t i = 0; i < count; ++i) words_[(last - i) & mask_] = 0;
            }
            next_ = number + 1;
        }
        words_[number / 64 & mask_] |= std::uint64_t{1} << number % 64;
    }

  private:
    ZeroedArray<std::uint64_t> words_;
    std::uint64_t mask_;
    std::uint64_t next_;
};

}  // namespace ringpost::native
