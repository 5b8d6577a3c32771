#pragma once

// What each probe carries when it is not our own frame: one payload, or several in turn. Text is written so:
//
//     {seq:W}     the lowest bits of the probe's sequence 0, 1, 2, ..., in W: u8, u16be, u16le, u32be, u32le, u64be
//                 or u64le
//
//     {time:W}    when the probe was due: nanoseconds on the sender's monotonic clock
//
//     {random:N}  N bytes, others in each probe
//
//     {{          an opening brace; a closing one stands for itself
//     \xNN        the byte of these two hex digits; also \\, \n, \r and \t
//
// and every other byte means itself.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"

namespace ringpost::traffic {

struct PayloadError {
    enum class Kind : std::uint8_t {
        empty,            ///< no bytes at all
        bad_escape,       ///< a backslash before anything but x and two hex digits, \, n, r or t
        open_brace,       ///< a { without its }
        unknown_field,    ///< not seq, time or random with a colon behind it
        bad_width,        ///< not one of the widths above
        bad_count,        ///< of random bytes: not 1 to limits::datagram_bytes_max
        bad_hex,          ///< not a hex digit, or half a byte
        too_long,         ///< more than limits::datagram_bytes_max
        too_many_fields,  ///< more than limits::payload_fields_max
        too_many,         ///< more payloads than limits::payloads_max, or more bytes than limits::payloads_bytes_max
    };
    Kind kind = Kind::empty;
    std::size_t position = 0;  ///< in the text: of the field's brace, of the backslash, of the digit
    bool operator==(const PayloadError&) const = default;
};

/// For people: "an unknown field, ...".
const char* describe(PayloadError::Kind kind);

/// Payloads in turn: probe i carries number i % count(). Parsed once into an image of all bytes and a list of the
/// fields in it; writing one copies its part of the image and fills the fields in.
class Payload {
  public:
    /// Each adds one payload, or changes nothing and says why.
    std::expected<void, PayloadError> add_text(std::string_view text);
    /// Hex digits in pairs; white space may stand between the pairs.
    std::expected<void, PayloadError> add_hex(std::string_view text);
    std::expected<void, PayloadError> add_bytes(std::span<const std::byte> bytes);

    std::size_t count() const { return items_.size(); }
    /// Of the shortest and of the longest payload; 0 while there is none.
    std::size_t bytes_min() const { return bytes_min_; }
    std::size_t bytes_max() const { return bytes_max_; }

    /// Writes probe `sequence` to the front of `out`, which holds bytes_max(), and returns its size. Needs count() > 0.
    /// The same arguments write the same bytes; `seed` decides those of {random:N}: draw it once per run.
    std::size_t write(std::span<std::byte> out, std::uint64_t sequence, Instant due, std::uint64_t seed) const;

  private:
    friend class PayloadParser;

    enum class Value : std::uint8_t { sequence, time, random };
    struct Field {
        Value value = Value::sequence;
        bool big_endian = false;
        std::uint16_t offset = 0;  ///< within its payload
        std::uint16_t bytes = 0;
    };
    struct Item {
        std::uint32_t image_offset = 0;
        std::uint32_t first_field = 0;
        std::uint16_t bytes = 0;
        std::uint16_t fields = 0;
    };

    std::expected<void, PayloadError> append(std::span<const std::byte> bytes, std::span<const Field> fields);

    std::vector<std::byte> image_;
    std::vector<Field> fields_;
    std::vector<Item> items_;
    std::size_t bytes_min_ = 0, bytes_max_ = 0;
};

}  // namespace ringpost::traffic
