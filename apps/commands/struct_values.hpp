#pragma once

// The values of struct messages as people write and read them.
//
//     b B h H i I l L q Q   decimal, or hexadecimal behind 0x; a sign in front
//     f d                   1.5, -2e9, inf, nan
//     ?                     true, false
//     c s                   text, of one byte for c; \xNN is any byte, \\ a backslash

#include <span>
#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "codec/structs/library.hpp"
#include "codec/structs/values.hpp"

namespace ringpost::apps {

/// The payload of a message with these values. A Failure names message, value and what it may be; a text that is longer
/// than its `s` is refused too.
std::vector<std::byte> pack_texts(const structs::Definition& definition, const std::vector<std::string>& texts);

/// `1 -2 "three"`: texts in quotes, without the zeros at their end, and with \xNN for what is no printable UTF-8.
std::string values_text(const structs::Definition& definition, std::span<const std::byte> payload);

/// An array: texts that are no UTF-8 are {"hex": "..."}, numbers that JSON does not have "inf", "-inf" and "nan".
Json values_json(const structs::Definition& definition, std::span<const std::byte> payload);

/// The arguments, with \x5b for [ in values of `struct send` that are in brackets: CLI11 would take them apart.
std::vector<std::string> without_brackets(int argc, const char* const* argv);

}  // namespace ringpost::apps
