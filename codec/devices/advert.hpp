#pragma once

// The UDP format of named devices: `KIND:,:NAME` in UTF-8, at most 256 bytes. KIND is `hello` (just started) or
// `alive`.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "codec/base/limits.hpp"

namespace ringpost::devices {

/// Field separator, and terminator of a frame. Names and texts must contain neither.
inline constexpr std::string_view separator = ":,:";
inline constexpr std::string_view terminator = "/EOL";

enum class NameError : std::uint8_t {
    empty,
    too_long,  ///< longer than limits::devices_name_bytes_max
    not_utf8,  ///< not valid UTF-8 (is_utf8)
    has_mark,  ///< contains the separator or the terminator
    reserved,  ///< equals a frame without fields: `PiNg`, `quitQUITquit`
};

/// Returns why `name` is not valid as a device name, or nullopt if it is.
std::optional<NameError> check_name(std::string_view name);

enum class AdvertKind : std::uint8_t { hello, alive };

struct Advert {
    AdvertKind kind = AdvertKind::alive;
    std::string_view name;  ///< when decoded: a view of the input
    bool operator==(const Advert&) const = default;
};

enum class AdvertError : std::uint8_t {
    too_long,  ///< longer than limits::devices_advert_bytes_max
    kind,      ///< does not start with a kind and the separator
    name,      ///< the rest is not a valid name
};

std::expected<Advert, AdvertError> decode_advert(std::span<const std::byte> bytes);

/// Writes the advert to the front of `out`, which must hold limits::devices_advert_bytes_max bytes. Returns its length.
/// The name must have passed check_name().
std::size_t encode_advert(const Advert& advert, std::span<std::byte> out);

}  // namespace ringpost::devices
