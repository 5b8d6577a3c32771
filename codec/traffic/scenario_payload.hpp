#pragma once

// The payload of a scenario's `send`: the text syntax of payload.hpp, and
//
//     {NAME}            the bytes of a variable
//     {NAME:hex}        the same as two lower-case hex digits each
//     {NAME:W}          the variable as a number: its last 8 bytes, the most significant first. W is u8, u16be, u16le,
//                       u32be, u32le, u64be or u64le and takes the lowest bits
//     {NAME+N:W}        N more than that; N is decimal and below 2^32
//     {session}         the number of the session, 0, 1, 2, ..., with the widths of {seq}: {session:u32be}
//
// {seq} is the datagram's number within its flow, as everywhere.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/base/limits.hpp"
#include "codec/traffic/payload.hpp"

namespace ringpost::traffic {

/// What a scenario takes out of replies.
struct ScenarioVariable {
    std::string name;
    std::size_t bytes_max = 0;  ///< the most that any line takes; set once all lines are read
};

/// The variables of one session: for each a byte with its length and limits::scenario_variable_bytes_max for its value.
inline constexpr std::size_t scenario_variable_stride = limits::scenario_variable_bytes_max + 1;

/// The value of a variable. Requires a length in the first byte, as zeroed memory has.
inline std::span<const std::byte> variable_value(const std::byte* variables, std::size_t index) {
    const std::byte* const at = variables + index * scenario_variable_stride;
    return {at + 1, static_cast<std::size_t>(*at)};
}
/// The last 8 bytes of a value as a number, the most significant first; 0 if it is empty.
std::uint64_t variable_number(std::span<const std::byte> value);

/// The index of a name; nullopt if there is none.
std::optional<std::uint8_t> find_variable(std::span<const ScenarioVariable> variables, std::string_view name);
/// Whether a text may name a variable: a letter, then up to 31 letters, digits and underscores, and no field of a
/// payload.
bool names_variable(std::string_view text);

class ScenarioPayload {
  public:
    /// The error is the reason, for users.
    static std::expected<ScenarioPayload, std::string> from_text(std::string_view text,
                                                                 std::span<const ScenarioVariable> variables);
    static std::expected<ScenarioPayload, std::string> from_hex(std::string_view digits);

    /// Sizes of the shortest and the longest datagram.
    std::size_t bytes_min() const { return bytes_min_; }
    std::size_t bytes_max(std::span<const ScenarioVariable> variables) const;

    /// Writes a datagram and returns its size; `out` holds bytes_max(). `variables` are those of the session.
    std::size_t write(std::span<std::byte> out, const PayloadValues& values, std::uint64_t session,
                      const std::byte* variables) const;

  private:
    struct Piece {
        enum class Kind : std::uint8_t { fields, session, bytes, hex, number };
        Kind kind = Kind::fields;
        std::uint8_t variable = 0;
        std::uint8_t width = 0;  ///< of a number in bytes
        bool big_endian = false;
        std::uint64_t added = 0;  ///< to a number
        Payload payload;          ///< of fields and session; {seq} of the latter is the session's number
    };

    std::expected<void, std::string> add_payload(Piece::Kind kind, std::string_view text, std::size_t position);
    std::expected<void, std::string> add_field(std::string_view inside, std::size_t position,
                                               std::span<const ScenarioVariable> variables);
    static std::expected<void, std::string> read_number(std::string_view width, Piece& piece);

    std::vector<Piece> pieces_;
    std::size_t bytes_min_ = 0;
};

}  // namespace ringpost::traffic
