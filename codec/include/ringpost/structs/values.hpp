#pragma once

// Packs and unpacks struct messages whose format is known only at run time, with variant values.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include <ringpost/export.hpp>
#include <ringpost/structs/format.hpp>

namespace ringpost::structs {

/// Unpacked types: int64 for signed codes, uint64 for unsigned ones, double for f and d, bool for ?, and for c and s a
/// view of the payload, including trailing zeros of an s.
using Value = std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view>;

/// Reads the values of one payload in order.
class RINGPOST_API ValueReader {
  public:
    /// `payload` must have format.bytes(). Both arguments must outlive the reader.
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
        wrong_kind,    ///< for example text for a number, or a fraction for an integer
        out_of_range,  ///< of an integer; of a float that would become infinite; of a c that is not one byte
    };
    Kind kind = Kind::too_few;
    std::size_t index = 0;  ///< of the value, from 0; too_few: of the first missing one, too_many: of the first extra
                            ///< one
    Slot slot;              ///< the target; unset for too_many
    bool operator==(const ValueError&) const = default;
};

/// Writes the payload to the front of `out`, which must hold format.bytes(), the size of the payload. Accepts what
/// Python's struct.pack accepts: any integer or bool for integer codes; those and double for f and d; anything for ?,
/// by its truth value; bytes for s, truncated or zero-padded; one byte for c. One difference: a double too large for an
/// f is an error in native mode as well, where Python packs infinity. After an error the contents of `out` are
/// unspecified.
RINGPOST_API std::expected<void, ValueError> pack(const Format& format, std::span<const Value> values,
                                                  std::span<std::byte> out);

/// Range of an integer code.
struct IntegerRange {
    std::int64_t min = 0;
    std::uint64_t max = 0;
};
RINGPOST_API IntegerRange range_of(const Slot& slot);

}  // namespace ringpost::structs
