#pragma once

// One datagram of the confirmed messages: a JSON object (RFC 8259) with exactly two members, in any order:
//
//     {"message": any JSON value, normally a string; "status": null, true or false}
//
// What is written has no spaces and no needless escapes, for peers of other make read no more than 1,024 bytes. What is
// read must be one object and nothing else, in UTF-8, with no member twice anywhere and limits::confirmed_depth_max
// objects and arrays inside one another at most.

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
    not_json,        ///< also a number no double can hold, and an escape that is no character
    trailing_bytes,  ///< more than spaces behind the object
    not_an_object,
    too_deep,
    duplicate_member,  ///< in any object, also within the message
    unknown_member,    ///< besides the two
    missing_member,
    wrong_status,  ///< neither null nor true nor false
};
inline constexpr std::size_t frame_errors = 9;

/// `not UTF-8`, `trailing bytes`...: the error in words.
const char* name_of(FrameError error);

/// What a message says: any JSON value. Two of them are equal when their texts are, so 1 is not 1.0.
class Value {
  public:
    /// The string "".
    Value() = default;

    /// A string; nothing when `text` is not UTF-8.
    static std::optional<Value> of_text(std::string_view text);
    /// Any value, from its JSON text.
    static std::expected<Value, FrameError> of_json(std::string_view json);

    bool is_text() const { return is_text_; }
    /// The characters of a string; of any other value its JSON text, without spaces.
    const std::string& text() const { return text_; }
    /// The JSON text, also of a string.
    std::string json() const;

    bool operator==(const Value&) const = default;

  private:
    friend class FrameReader;
    std::string text_;
    bool is_text_ = true;
};

/// The member `status`.
enum class Status : std::uint8_t {
    none,    ///< null: a neutral message, which wants to be confirmed
    ok,      ///< true: a confirmation
    failed,  ///< false: a failure report
};

struct Frame {
    Value message;
    Status status = Status::none;
    bool operator==(const Frame&) const = default;
};

/// Messages with a meaning of their own.
inline constexpr std::string_view confirmed_text = "confirmed";
inline constexpr std::string_view initialize_text = "initialize";
inline constexpr std::string_view initialized_text = "initialization complete";

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes);

/// The datagram, of whatever length.
std::string encode(const Frame& frame);

}  // namespace ringpost::confirmed
