#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringpost {

/// CRC-32C (Castagnoli; RFC 3720, B.4) of `bytes`. Uses the processor's CRC and carry-less multiply instructions where
/// it has them; the value is the same everywhere.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The portable implementation, whatever the processor: the reference for tests.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes);

/// Appends a fixed text to a CRC in constant time: from crc32c(A) it makes crc32c(A + B) for the B it was built with,
/// without reading B again. CRC is linear, so moving past B's length is one 32x32 bit matrix, kept as four byte tables.
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
