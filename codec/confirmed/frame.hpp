#pragma once

// A confirmed-message datagram is a JSON object (RFC 8259) with exactly two members, in any order:
//
//     {"message": any JSON value, normally a string; "status": null, true or false}
//
// The encoder writes no spaces and no unnecessary escapes, since other implementations read at most 1,024 bytes. The
// decoder accepts exactly one object in UTF-8, without duplicate members at any depth and with at most
// limits::confirmed_depth_max nested objects and arrays.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/base/limits.hpp"

namespace ringpost::confirmed {

enum class FrameError : std::uint8_t {
    not_utf8,
    not_json,        ///< also for a number outside the range of a double or an invalid escape
    trailing_bytes,  ///< anything but white space behind the object
    not_an_object,
    too_deep,
    duplicate_member,  ///< in any object, including those in the message
    unknown_member,    ///< other than the two
    missing_member,
    wrong_status,  ///< not null, true or false
};
inline constexpr std::size_t frame_errors = 9;

/// Description of the error: `not UTF-8`, `trailing bytes`, ...
const char* name_of(FrameError error);

/// The content of a message: any JSON value. Values compare equal if their texts do, so 1 differs from 1.0.
class Value {
  public:
    /// An empty string.
    Value() = default;

    /// A string; nullopt if `text` is not UTF-8.
    static std::optional<Value> of_text(std::string_view text);
    /// Any value, given as JSON text.
    static std::expected<Value, FrameError> of_json(std::string_view json);

    bool is_text() const { return is_text_; }
    /// The characters of a string, or the JSON text of any other value, without spaces.
    const std::string& text() const { return text_; }
    /// The value as JSON text.
    std::string json() const;

    bool operator==(const Value&) const = default;

  private:
    friend class FrameReader;
    std::string text_;
    bool is_text_ = true;
};

/// Value of the member `status`.
enum class Status : std::uint8_t {
    none,    ///< null: a neutral message, to be confirmed
    ok,      ///< true: a confirmation
    failed,  ///< false: a failure report
};

struct Frame {
    Value message;
    Status status = Status::none;
    bool operator==(const Frame&) const = default;
};

/// Messages with a special meaning.
inline constexpr std::string_view confirmed_text = "confirmed";
inline constexpr std::string_view initialize_text = "initialize";
inline constexpr std::string_view initialized_text = "initialization complete";

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes);

/// Returns the datagram. The caller checks its length.
std::string encode(const Frame& frame);

}  // namespace ringpost::confirmed
