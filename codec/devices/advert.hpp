#pragma once

// What a device says over UDP: `KIND:,:NAME` in UTF-8, at most 256 bytes, KIND `hello` (I have just come) or `alive`.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "codec/base/limits.hpp"

namespace ringpost::devices {

/// Between the fields of an advert or frame, and behind each frame: no name and no text may contain either.
inline constexpr std::string_view separator = ":,:";
inline constexpr std::string_view terminator = "/EOL";

enum class NameError : std::uint8_t {
    empty,
    too_long,  ///< over limits::devices_name_bytes_max
    not_utf8,  ///< see is_utf8
    has_mark,  ///< contains `:,:` or `/EOL`
    reserved,  ///< is a frame without fields: `PiNg`, `quitQUITquit`
};

/// What keeps `name` from being a device's name; nothing if it can be one.
std::optional<NameError> check_name(std::string_view name);

enum class AdvertKind : std::uint8_t { hello, alive };

struct Advert {
    AdvertKind kind = AdvertKind::alive;
    std::string_view name;  ///< decoded: a view of the bytes given
    bool operator==(const Advert&) const = default;
};

enum class AdvertError : std::uint8_t {
    too_long,  ///< over limits::devices_advert_bytes_max
    kind,      ///< does not begin with a kind and the separator
    name,      ///< what follows is no name
};

std::expected<Advert, AdvertError> decode_advert(std::span<const std::byte> bytes);

/// Writes the advert at the front of `out`, which has room for limits::devices_advert_bytes_max, and returns its
/// length. The name has passed check_name().
std::size_t encode_advert(const Advert& advert, std::span<std::byte> out);

}  // namespace ringpost::devices
