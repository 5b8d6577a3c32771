#pragma once

// The content of probes to third-party servers: one payload, or several used in turn. Text syntax:
//
//     {seq:W}     the lowest bits of the probe's number 0, 1, 2, ... within its flow. W is u8, u16be, u16le, u32be,
//                 u32le, u64be or u64le
//
//     {time:W}    the probe's due time: nanoseconds on the sender's monotonic clock
//
//     {random:N}  N bytes, different in each probe
//
//     {{          an opening brace; a closing brace needs no escape
//     \xNN        the byte with this hex value; also \\, \n, \r and \t
//
// All other bytes stand for themselves.

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
        empty,            ///< no bytes
        bad_escape,       ///< a backslash not followed by x and two hex digits, \, n, r or t
        open_brace,       ///< { without a closing }
        unknown_field,    ///< not seq, time or random, or no colon behind it
        bad_width,        ///< not one of the widths above
        bad_count,        ///< {random:N}: N is not in 1 to limits::datagram_bytes_max
        bad_hex,          ///< not a hex digit, or an odd number of digits
        too_long,         ///< longer than limits::datagram_bytes_max
        too_many_fields,  ///< more than limits::payload_fields_max
        too_many,         ///< more than limits::payloads_max payloads, or limits::payloads_bytes_max bytes
    };
    Kind kind = Kind::empty;
    std::size_t position = 0;  ///< in the text: of the field's brace, the backslash or the digit
    bool operator==(const PayloadError&) const = default;
};

/// Message for users: "an unknown field, ...".
const char* describe(PayloadError::Kind kind);

/// A list of payloads; probe i carries number i % count(). Payloads are parsed once into an image of all bytes and
/// a list of fields. write() copies from the image and fills in the fields.
class Payload {
  public:
    /// Each call adds one payload, or changes nothing and returns the error.
    std::expected<void, PayloadError> add_text(std::string_view text);
    /// Hex digits in pairs; white space is allowed between pairs.
    std::expected<void, PayloadError> add_hex(std::string_view text);
    std::expected<void, PayloadError> add_bytes(std::span<const std::byte> bytes);

    std::size_t count() const { return items_.size(); }
    /// Size of the shortest and the longest payload; 0 if there is none.
    std::size_t bytes_min() const { return bytes_min_; }
    std::size_t bytes_max() const { return bytes_max_; }

    /// Whether there is any {seq:W}, {time:W} or {random:N}.
    bool has_fields() const { return !fields_.empty(); }

    /// Writes probe `sequence` to the front of `out`, which must hold bytes_max(), and returns its size. Requires
    /// count() > 0. `in_flow` is the probe's number within its flow, the value of {seq:W}. The output is a function of
    /// the arguments; `seed` determines {random:N} and should be random per run.
    std::size_t write(std::span<std::byte> out, std::uint64_t sequence, std::uint64_t in_flow, Instant due,
                      std::uint64_t seed) const;

    /// The number of probes of a flow after which the `count` bytes at `offset` may repeat: 2^(8 n) if the lowest n
    /// bytes of a {seq:W}, or all n of a {random:N}, lie there, else 1; at most 2^63. Of several payloads the smallest
    /// value counts, and every payload has to be that long.
    std::uint64_t distinct(std::size_t offset, std::size_t count) const;

  private:
    friend class PayloadParser;

    enum class Value : std::uint8_t { sequence, time, random };
    struct Field {
        Value value = Value::sequence;
        bool big_endian = false;
        std::uint16_t offset = 0;  ///< within the payload
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
