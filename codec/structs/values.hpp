#pragma once

// Struct messages whose format is known only at run time, to and from values that say themselves what they are.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "codec/structs/format.hpp"

namespace ringpost::structs {

/// Unpacked: int64 for the signed codes, uint64 for the unsigned ones, double for f and d, bool for ?, and the bytes of
/// a c or s (with the zeros at the end of an s) as a view of the payload.
using Value = std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view>;

/// Reads the values of one payload in order.
class ValueReader {
  public:
    /// `payload` is of format.bytes() (checked); both must stay.
    ValueReader(const Format& format, std::span<const std::byte> payload);

    std::optional<Value> next();

  private:
    Format::Slots slots_;
    std::endian order_;
    std::span<const std::byte> payload_;
};

struct ValueError {
    enum class Kind : std::uint8_t {
        too_few,
        too_many,
        wrong_kind,    ///< text for a number, a fraction for an integer, ...
        out_of_range,  ///< of an integer, of a float that would become infinite, or of a c that is not one byte
    };
    Kind kind = Kind::too_few;
    std::size_t index = 0;  ///< of the value, from 0; too_few: of the first missing, too_many: of the first left over
    Slot slot;              ///< where it should have gone; too_many: none
    bool operator==(const ValueError&) const = default;
};

/// Writes the payload at the front of `out`, of at least format.bytes() (checked), which is the size it has. Takes what
/// Python's struct.pack takes: an integer of either kind or a bool for any integer code, those and a double for f and
/// d, anything for ? (is it not 0, not empty?), bytes for s, cut or padded with 0, one byte for c. Only a double too
/// large for f is refused natively too, where Python packs infinity. After an error `out` holds nothing that matters.
std::expected<void, ValueError> pack(const Format& format, std::span<const Value> values, std::span<std::byte> out);

/// What an integer code holds.
struct IntegerRange {
    std::int64_t min = 0;
    std::uint64_t max = 0;
};
IntegerRange range_of(const Slot& slot);

}  // namespace ringpost::structs
