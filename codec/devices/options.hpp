#pragma once

#include <cstdint>

#include <ringpost/devices/types.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/devices/limits.hpp"

namespace ringpost::devices {

/// Options of an Endpoint: those of the user, and what its driver sets.
struct Options : ProtocolOptions {
    std::uint64_t seed = 0;  ///< of the jitter of replies and retries; should be random
    SipKey key;              ///< must be random and secret
    Instant start = 0;
};

}  // namespace ringpost::devices
