#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringpost {

/// CRC-32C (Castagnoli; RFC 3720, B.4) of `bytes`. Uses the processor's CRC and carry-less multiply instructions if
/// available; the result does not depend on them.
std::uint32_t crc32c(std::span<const std::byte> bytes);

struct Crc32cImplementation {
    const char* name;
    std::uint32_t (*compute)(std::span<const std::byte> bytes);
};

/// Those that this processor can run, the portable one first. crc32c() is the last.
std::span<const Crc32cImplementation> crc32c_implementations();

/// Completes a table of the effect of each value of a byte on a CRC, which is linear. The entries of the values with
/// one bit set are given.
void complete_linear_table(std::span<std::uint32_t, 256> table);

/// Appends a fixed suffix to a CRC in constant time: computes crc32c(A + B) from crc32c(A), without reading B, which is
/// given at construction. CRC is linear, so appending is a 32x32 bit matrix, stored as four byte tables.
class Crc32cSuffix {
  public:
    explicit Crc32cSuffix(std::span<const std::byte> suffix);

    std::uint32_t append_to(std::uint32_t crc) const {
        return tables_[0][crc & 0xff] ^ tables_[1][(crc >> 8) & 0xff] ^ tables_[2][(crc >> 16) & 0xff] ^
               tables_[3][crc >> 24] ^ suffix_crc_;
    }

  private:
    std::uint32_t tables_[4][256];
    std::uint32_t suffix_crc_;
};

}  // namespace ringpost
