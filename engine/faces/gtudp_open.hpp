#pragma once

#include <ringpost/error.hpp>
#include <ringpost/gtudp.hpp>
#include "codec/gtudp/options.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::gtudp {

/// What Messenger and ThreadedMessenger open.
struct Opening {
    SocketOptions socket;
    Options protocol;
};

/// The error names the option: `wire: two types are equal`.
Result<Opening> opening_of(const OpenOptions& options);

}  // namespace ringpost::gtudp
