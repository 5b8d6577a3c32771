#pragma once

// The content of datagrams for third-party servers: one payload, or several used in turn. Text syntax:
//
//     {seq:W}         the lowest bits of the datagram's number 0, 1, 2, ... within its flow. W is u8, u16be, u16le,
//                     u32be, u32le, u64be or u64le
//     {seq}           the number in decimal digits, as many as it has; also {seq:dec}
//     {seq:hex}       its lowest 32 bits as 8 hex digits
//
//     {time:W}        the due time: nanoseconds on the sender's monotonic clock
//     {time:unix}     seconds since 1970, 10 decimal digits
//     {time:rfc3339}  2026-11-30T20:15:00.123456Z
//
//     {random:N}      N bytes, different in each datagram
//     {random:hex}    8 hex digits, different in each datagram
//     {pick:A|B|...}  one of these texts at random; they contain neither | nor }
//
//     {{              an opening brace; a closing brace needs no escape
//     \xNN            the byte with this hex value; also \\, \", \n, \r and \t
//
// All other bytes stand for themselves.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/traffic/radius.hpp"

namespace ringpost::traffic {

struct PayloadError {
    enum class Kind : std::uint8_t {
        empty,            ///< no bytes
        bad_escape,       ///< a backslash not followed by x and two hex digits, \, ", n, r or t
        open_brace,       ///< { without a closing }
        unknown_field,    ///< not seq, time, random or pick, or no colon where one is needed
        bad_width,        ///< not one of the widths above
        bad_count,        ///< {random:N}: N is not in 1 to limits::datagram_bytes_max
        bad_pick,         ///< {pick:...}: fewer than two texts, too many, or only empty ones
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

/// What the fields of one datagram depend on.
struct PayloadValues {
    std::uint64_t sequence = 0;  ///< selects the payload, and {random:N} and {pick:...}
    std::uint64_t in_flow = 0;   ///< the datagram's number within its flow: {seq:W}
    Instant due = 0;
    Duration unix_offset = 0;  ///< from `due` to the time since 1970
    std::uint64_t seed = 0;    ///< of {random:N} and {pick:...}; should be random per run
};

/// A list of payloads; datagram i carries number i % count(). Payloads are parsed once into an image of all bytes and
/// a list of fields. write() copies from the image and fills in the fields.
class Payload {
  public:
    /// Each call adds one payload, or changes nothing and returns the error.
    std::expected<void, PayloadError> add_text(std::string_view text);
    /// Hex digits in pairs; white space is allowed between pairs.
    std::expected<void, PayloadError> add_hex(std::string_view text);
    std::expected<void, PayloadError> add_bytes(std::span<const std::byte> bytes);
    /// `bytes` that begin with {seq:u16be}.
    std::expected<void, PayloadError> add_numbered(std::span<const std::byte> bytes);
    /// Completes each datagram. Requires payloads that do not vary.
    void set_seal(RadiusSeal seal) { seal_ = std::move(seal); }
    /// Frees memory that was kept for more payloads.
    void shrink();

    std::size_t count() const { return items_.size(); }
    /// Size of the shortest and the longest payload; 0 if there is none.
    std::size_t bytes_min() const { return bytes_min_; }
    std::size_t bytes_max() const { return bytes_max_; }

    /// The mean over up to 4,096 datagrams.
    double bytes_mean() const;

    /// Whether there is any field.
    bool has_fields() const { return !fields_.empty() || seal_; }
    /// Whether one payload has different sizes in different datagrams.
    bool has_varying() const { return varying_; }

    /// Writes a datagram to the front of `out`, which must hold bytes_max(), and returns its size. Requires
    /// count() > 0. The output is a function of the arguments.
    std::size_t write(std::span<std::byte> out, const PayloadValues& values) const;
    /// The same for an `out` that holds size_of(values).
    std::size_t write_unchecked(std::byte* out, const PayloadValues& values) const;
    /// The size that write() returns; it does not depend on the times.
    std::size_t size_of(const PayloadValues& values) const;
    /// Writes the fields of a datagram whose other bytes are in place. Requires a payload that does not vary.
    void write_fields(std::byte* out, const PayloadValues& values) const;
    /// The same for a train of `count` datagrams of a list of one payload, `stride` bytes apart; `dues` are their due
    /// times, or one for all.
    void write_fields_each(std::byte* out, std::size_t stride, std::size_t count, const PayloadValues& first,
                           std::span<const Instant> dues) const;
    /// The bytes of one payload with zeros in place of its fields.
    std::span<const std::byte> image_of(std::size_t index) const {
        return std::span(image_).subspan(items_[index].image_offset, items_[index].bytes);
    }
    /// The bytes of all payloads one after the other.
    std::span<const std::byte> image() const { return image_; }

    /// A copy of a list of one payload in which each {seq} has exactly `digits` digits. Nullopt if it varies otherwise.
    std::optional<Payload> with_digits(std::size_t digits) const;

    /// The number of datagrams of a flow after which the `count` bytes at `offset` may repeat: 2^(8 n) if the lowest n
    /// bytes of a {seq:W}, or all n of a {random:N}, lie there, 16^n or 10^n for n digits, else 1; at most 2^63. Of
    /// several payloads the smallest value counts, and every payload has to be that long.
    std::uint64_t distinct(std::size_t offset, std::size_t count) const;

  private:
    friend class PayloadParser;

    enum class Value : std::uint8_t {
        sequence,
        decimal,
        hex,
        time,
        unix_time,
        rfc3339,
        random,
        random_hex,
        pick,
    };
    struct Field {
        Value value = Value::sequence;
        bool big_endian = false;
        std::uint16_t offset = 0;        ///< within the image of the payload
        std::uint16_t bytes = 0;         ///< there; 0 if they vary
        std::uint16_t choices = 0;       ///< {pick:...}
        std::uint32_t first_choice = 0;  ///< in choices_; a different number for each random field

        bool operator==(const Field&) const = default;
    };
    static constexpr std::uint16_t varies_bit = 1u << 15;
    struct Item {
        std::uint32_t image_offset = 0;
        std::uint32_t first_field = 0;
        std::uint16_t bytes = 0;              ///< of the image
        std::uint16_t fields_and_varies = 0;  ///< the number of fields, and varies_bit

        std::size_t fields() const { return fields_and_varies & ~varies_bit; }
        bool varies() const { return (fields_and_varies & varies_bit) != 0; }
    };
    /// A text of {pick:...}, in choice_bytes_.
    struct Choice {
        std::uint32_t offset = 0, bytes = 0;
    };

    /// What a failed addition takes back.
    struct Kept {
        std::size_t choices = 0, choice_bytes = 0;
    };
    Kept kept() const { return {choices_.size(), choice_bytes_.size()}; }
    void restore(const Kept& kept) {
        choices_.resize(kept.choices);
        choice_bytes_.resize(kept.choice_bytes);
    }

    std::expected<void, PayloadError> append(std::span<const std::byte> bytes, std::span<const Field> fields);
    std::span<const Field> fields_of(const Item& item) const {
        return std::span(fields_).subspan(item.first_field, item.fields());
    }
    std::size_t write_varying(std::byte* out, const Item& item, const PayloadValues& values) const;
    std::size_t write_field(std::byte* out, const Field& field, const PayloadValues& values) const;
    std::size_t size_of_field(const Field& field, const PayloadValues& values) const;
    std::size_t field_bytes_min(const Field& field) const;
    std::size_t field_bytes_max(const Field& field) const;
    const Choice& choice_of(const Field& field, const PayloadValues& values) const;
    std::uint64_t distinct_of(const Item& item, std::size_t offset, std::size_t count) const;

    std::vector<std::byte> image_;
    std::vector<Field> fields_;
    std::vector<Item> items_;
    std::vector<Choice> choices_;
    std::vector<std::byte> choice_bytes_;
    std::optional<RadiusSeal> seal_;
    std::size_t bytes_min_ = 0, bytes_max_ = 0;
    bool varying_ = false;
};

}  // namespace ringpost::traffic
