#pragma once

#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/stream.hpp>

namespace ringpost {

/// An accepted connection that needs answer(), or an input for the endpoint. Bytes are valid until the next enter().
struct StreamEvent {
    bool accepted = false;
    std::uint32_t connection = 0;  ///< if accepted: for answer()
    Address peer{};                ///< if accepted
    StreamInput input{};           ///< if not accepted
};

}  // namespace ringpost
