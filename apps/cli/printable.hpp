#pragma once

// Text from a peer or a file on its way to a terminal or a log.

#include <cstddef>
#include <string>
#include <string_view>

namespace ringpost::apps {

/// The length in bytes of the first character of a text that is not empty, or 0 if it must be escaped: a control
/// character (C0, C1, DEL), a line or paragraph separator, a bidirectional control, or a byte that is not UTF-8.
std::size_t printable_bytes(std::string_view text);

/// Escapes text from a peer or a file: the bytes of such characters, and backslashes, become \x and two hex digits.
std::string printable(std::string_view text);

/// The same for a whole line that may contain escaped text already: backslashes stay.
std::string printable_line(std::string_view line);

/// The same in a line of JSON, which is UTF-8: such characters become \u and four hex digits.
std::string printable_json(std::string_view line);

/// Two hex digits for each byte.
std::string hex_text(std::string_view bytes);

}  // namespace ringpost::apps
