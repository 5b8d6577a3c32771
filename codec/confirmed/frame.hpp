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

#include <ringpost/confirmed/types.hpp>

namespace ringpost::confirmed {

struct Frame {
    Value message;
    Status status = Status::none;
    bool operator==(const Frame&) const = default;
};

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes);

/// Returns the datagram. The caller checks its length.
std::string encode(const Frame& frame);

}  // namespace ringpost::confirmed
