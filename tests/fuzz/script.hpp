#pragma once

// Shared by the operation scripts: a reader of the fuzzer's bytes, and the checks that every Transmit must pass.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::fuzz {

using Bytes = std::vector<std::byte>;

/// Reads a script from the front. Past its end all bytes are zero.
class Script {
  public:
    Script(const std::uint8_t* data, std::size_t size, std::size_t bytes_max)
        : bytes_(data, std::min(size, bytes_max)) {}

    bool over() const { return bytes_.empty(); }

    std::uint8_t u8() {
        if (bytes_.empty()) return 0;
        const std::uint8_t value = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return value;
    }
    std::uint16_t u16() {
        const unsigned low = u8();
        return static_cast<std::uint16_t>(low | unsigned{u8()} << 8);
    }
    std::uint64_t u64() {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{u8()} << 8 * i;
        return value;
    }
    /// A number of any magnitude, from three bytes.
    std::uint64_t magnitude() {
        const unsigned shift = u8() % 64;
        return std::uint64_t{u16()} << shift;
    }
    /// The next `count` bytes, or what is left, in memory of exactly that size, so that a sanitizer detects a read
    /// beyond it.
    Bytes bytes(std::size_t count) {
        const auto taken = std::as_bytes(bytes_.first(std::min(count, bytes_.size())));
        bytes_ = bytes_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

/// As std::ranges::equal, but as one comparison for the fuzzer, which notes each.
inline bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

inline void check_transmit(const Transmit& transmit) {
    RINGPOST_CHECK(transmit.bytes <= limits::datagram_bytes_max);
    RINGPOST_CHECK(transmit.segment_bytes <= transmit.bytes);
    RINGPOST_CHECK(transmit.segment_bytes > 0 || transmit.bytes == 0);
    RINGPOST_CHECK(segment_count(transmit.bytes, transmit.segment_bytes) <= limits::train_segments_max);
}

}  // namespace ringpost::fuzz
