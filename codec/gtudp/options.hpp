#pragma once

#include <cstdint>

#include <ringpost/datagram.hpp>
#include <ringpost/gtudp/types.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/gtudp/frame.hpp"

namespace ringpost::gtudp {

/// Options of an Endpoint: those of the user, and what its driver sets.
struct Options : ProtocolOptions {
    Codec codec;
    SocketIndex socket = 0;  ///< that first messages leave by; later ones leave from where their peer last wrote to
    Identity first_identity = 0;  ///< should be random, so that peers do not match a restarted sender with its previous
                                  ///< run
    std::uint64_t seed = 0;       ///< of the jitter; should be random
    SipKey key;                   ///< must be random and secret
    Instant start = 0;
};

/// Why a message is sent.
enum class Origin : std::uint8_t {
    own,    ///< the application chose the peer
    reply,  ///< it answers a message, whose source address may be spoofed
};

}  // namespace ringpost::gtudp
