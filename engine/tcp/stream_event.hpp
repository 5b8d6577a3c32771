#pragma once

#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/stream.hpp>

namespace ringpost {

/// What has happened to a stream: somebody has connected and waits for answer(), or an input for the endpoint. The
/// bytes are valid until the next wait().
struct StreamEvent {
    bool accepted = false;
    std::uint32_t connection = 0;  ///< `accepted`: for answer()
    Address peer{};                ///< `accepted`
    StreamInput input{};           ///< otherwise
};

}  // namespace ringpost
