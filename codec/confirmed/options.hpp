#pragma once

#include <ringpost/confirmed/types.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/confirmed/frame.hpp"

namespace ringpost::confirmed {

/// Options of an Endpoint: those of the user, and what its driver sets.
struct Options : ProtocolOptions {
    SocketIndex socket = 0;  ///< on which messages are sent; a confirmation leaves from where its message arrived
    SipKey key;              ///< must be random and secret
    Instant start = 0;
};

}  // namespace ringpost::confirmed
