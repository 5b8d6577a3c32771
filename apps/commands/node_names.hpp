#pragma once

// Names of devices in the console of `ringpost node`. A name that a command could not contain as it is stands in
// quotes, and \xNN stands for a byte, so that every name that is printed can be typed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::apps {

/// The name as it is printed: in quotes if it has a space, a comma or a quote, or is `*`.
std::string shown_name(std::string_view name);

/// The addressees of a command and the text behind them.
struct Addressed {
    bool all = false;                ///< `*`
    std::vector<std::string> names;  ///< otherwise
    std::string text;
};

enum class Addressees : std::uint8_t { one, list };
/// Parses `NAME TEXT`, or a list `NAME,NAME TEXT`. Nothing if no space follows the names.
std::optional<Addressed> parse_addressed(std::string_view rest, Addressees addressees);

/// Parses the name of this device. Throws std::invalid_argument if others could not use it as it is.
std::string parse_device_name(const std::string& name);

}  // namespace ringpost::apps
