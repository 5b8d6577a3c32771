#pragma once

// The format language of Python's struct module, restricted to these codes:
//
//     [@ = < > !] followed by codes, each with an optional count in front, and white space between them (not within)
//
//     b B   1 byte, signed and unsigned        l L   8 bytes natively, else 4       c    one byte
//     h H   2 bytes                            q Q   8 bytes                        Ns   one value of N bytes
//     i I   4 bytes                            f d   4 and 8 bytes, IEEE 754        Nx   N padding bytes
//     ?     1 byte, zero or non-zero
//
// Without a prefix, or with @, sizes and byte order are native and each value is aligned to its size; there is no
// padding at the end, but a count of 0 aligns the position. `=` and `<` are little-endian, `>` and `!` big-endian;
// these have no padding and an l of 4 bytes. Native always means x86-64 (little-endian, LP64), regardless of the host.
// Python's e, n, N, p and P are not supported. Source: https://docs.python.org/3/library/struct.html.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/export.hpp>
#include <ringpost/limits.hpp>

namespace ringpost::structs {

struct FormatError {
    enum class Kind : std::uint8_t {
        bad_code,            ///< not one of the codes above; also white space after a count, or a prefix that is not at
                             ///< the start
        count_without_code,  ///< the text ends with a count
        too_large,           ///< more than limits::struct_payload_bytes_max bytes, the largest payload
        too_many_runs,       ///< more than limits::struct_runs_max
    };
    Kind kind = Kind::bad_code;
    std::size_t position = 0;  ///< in the text: of the character, or of the first digit of the count
    bool operator==(const FormatError&) const = default;
};

/// Message for users: "unknown code", ...
RINGPOST_API const char* describe(FormatError::Kind kind);

/// Position and type of one value.
struct Slot {
    char code = 'b';
    std::uint16_t offset = 0;
    std::uint16_t bytes = 1;

    constexpr bool is_integer() const { return std::string_view("bBhHiIlLqQ").find(code) != std::string_view::npos; }
    constexpr bool is_signed() const { return code >= 'a'; }  ///< for integers
    bool operator==(const Slot&) const = default;
};

/// A parsed format: a list of runs, each of adjacent values with the same code.
class Format {
  public:
    struct Run {
        char code = 'b';
        std::uint8_t item_bytes = 1;  ///< of each value; 1 for an `s`
        std::uint16_t offset = 0;     ///< of the first value
        std::uint16_t count = 0;      ///< of values, at least 1; for an `s`, which is one value, of its bytes
    };

    /// The empty format: no values, no bytes.
    constexpr Format() = default;
    static constexpr std::expected<Format, FormatError> parse(std::string_view text);

    /// Size of a payload, padding included.
    constexpr std::size_t bytes() const { return bytes_; }
    /// Number of values.
    constexpr std::size_t values() const { return values_; }
    constexpr std::endian order() const { return order_; }
    /// Whether some bytes belong to no value. They are packed as 0.
    constexpr bool has_gaps() const { return value_bytes_ < bytes_; }
    constexpr std::span<const Run> runs() const { return std::span(runs_).first(run_count_); }

    /// Iterates over the values in order.
    class Slots {
      public:
        constexpr explicit Slots(const Format& format) : runs_(format.runs()) {}
        constexpr explicit Slots(const Format&&) = delete;  // it holds a view of the runs

        constexpr std::optional<Slot> next() {
            if (runs_.empty()) return std::nullopt;
            const Run& run = runs_.front();
            if (run.code == 's') {
                runs_ = runs_.subspan(1);
                return Slot{'s', run.offset, run.count};
            }
            const Slot slot{run.code, static_cast<std::uint16_t>(run.offset + index_ * run.item_bytes), run.item_bytes};
            if (++index_ == run.count) {
                index_ = 0;
                runs_ = runs_.subspan(1);
            }
            return slot;
        }

      private:
        std::span<const Run> runs_;
        std::uint32_t index_ = 0;  ///< within the first run
    };
    constexpr Slots slots() const& { return Slots(*this); }

  private:
    static constexpr std::size_t size_of(char code, bool native);
    constexpr std::optional<FormatError::Kind> append(char code, std::size_t item_bytes, std::size_t count,
                                                      bool native);

    std::array<Run, limits::struct_runs_max> runs_{};
    std::uint32_t run_count_ = 0;
    std::uint32_t bytes_ = 0, values_ = 0, value_bytes_ = 0;
    std::endian order_ = std::endian::little;
};

/// Returns 0 if `code` is not a code.
constexpr std::size_t Format::size_of(char code, bool native) {
    switch (code) {
        case 'b':
        case 'B':
        case 'c':
        case 's':
        case 'x':
        case '?': return 1;
        case 'h':
        case 'H': return 2;
        case 'i':
        case 'I':
        case 'f': return 4;
        case 'l':
        case 'L': return native ? 8 : 4;
        case 'q':
        case 'Q':
        case 'd': return 8;
        default: return 0;
    }
}

/// Appends `count` values of `item_bytes` each, or the `count` bytes of an `s` or `x`. Returns the error, if any.
constexpr std::optional<FormatError::Kind> Format::append(char code, std::size_t item_bytes, std::size_t count,
                                                          bool native) {
    constexpr std::size_t most = limits::struct_payload_bytes_max;
    std::size_t offset = bytes_;
    if (native) offset = (offset + item_bytes - 1) / item_bytes * item_bytes;
    if (offset > most || count > (most - offset) / item_bytes) return FormatError::Kind::too_large;
    bytes_ = static_cast<std::uint32_t>(offset + count * item_bytes);
    const bool is_text = code == 's';
    if (code == 'x' || (count == 0 && !is_text)) return std::nullopt;
    value_bytes_ += static_cast<std::uint32_t>(count * item_bytes);
    values_ += is_text ? 1 : static_cast<std::uint32_t>(count);
    if (run_count_ > 0 && !is_text) {
        Run& last = runs_[run_count_ - 1];
        if (last.code == code && last.offset + last.count * item_bytes == offset) {
            last.count = static_cast<std::uint16_t>(last.count + count);
            return std::nullopt;
        }
    }
    if (run_count_ == runs_.size()) return FormatError::Kind::too_many_runs;
    runs_[run_count_++] = {code, static_cast<std::uint8_t>(item_bytes), static_cast<std::uint16_t>(offset),
                           static_cast<std::uint16_t>(count)};
    return std::nullopt;
}

constexpr std::expected<Format, FormatError> Format::parse(std::string_view text) {
    Format format;
    std::size_t at = 0;
    bool native = true;
    if (!text.empty() && std::string_view("@=<>!").find(text[0]) != std::string_view::npos) {
        native = text[0] == '@';
        if (text[0] == '>' || text[0] == '!') format.order_ = std::endian::big;
        at = 1;
    }
    const auto is_digit = [&] { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    while (at < text.size()) {
        if (std::string_view(" \t\n\v\f\r").find(text[at]) != std::string_view::npos) {
            ++at;
            continue;
        }
        const std::size_t start = at;
        std::size_t count = is_digit() ? 0 : 1;
        constexpr std::size_t enough = limits::struct_payload_bytes_max + 1;  // more than any format may have
        for (; is_digit(); ++at) count = std::min(enough, count * 10 + static_cast<std::size_t>(text[at] - '0'));
        if (at == text.size()) return std::unexpected(FormatError{FormatError::Kind::count_without_code, start});
        const std::size_t item_bytes = size_of(text[at], native);
        if (item_bytes == 0) return std::unexpected(FormatError{FormatError::Kind::bad_code, at});
        if (const auto error = format.append(text[at], item_bytes, count, native))
            return std::unexpected(FormatError{*error, start});
        ++at;
    }
    return format;
}

}  // namespace ringpost::structs
