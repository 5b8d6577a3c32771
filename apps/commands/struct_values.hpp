#pragma once

// The values of struct messages as text.
//
//     b B h H i I l L q Q   decimal, or hexadecimal after 0x, with an optional sign
//     f d                   1.5, -2e9, inf, nan
//     ?                     true, false
//     c s                   text, for c a single byte; \xNN is a byte, \\ a backslash

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/structs/library.hpp>
#include <ringpost/structs/values.hpp>
#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// Packs the values of a message. Throws a Failure that names the message, the invalid value and what is expected; a
/// text longer than its `s` is invalid.
std::vector<std::byte> pack_texts(const structs::Definition& definition, const std::vector<std::string>& texts);

/// The words of a line: separated by spaces, in quotes if they contain some. Throws a Failure if a quote is not closed.
std::vector<std::string> split_values(std::string_view line);

/// `1 -2 "three"`: text in quotes, without padding zeros; bytes that are not printable UTF-8 become \xNN.
std::string values_text(const structs::Definition& definition, std::span<const std::byte> payload);

/// A JSON array. Text that is not UTF-8 becomes {"hex": "..."}; infinities and NaN become "inf", "-inf" and "nan".
Json values_json(const structs::Definition& definition, std::span<const std::byte> payload);

/// The arguments of the program. Those of `struct` that are in brackets start with \x5b instead, because CLI11 would
/// split them into several values.
std::vector<std::string> escape_brackets(int argc, const char* const* argv);

}  // namespace ringpost::apps
