#pragma once

#include <cstdint>
#include <string>

#include <ringpost/time.hpp>
#include "apps/cli/server.hpp"
#include "apps/cli/server_end.hpp"

namespace ringpost::apps {

struct RecvOptions {
    ServerOptions server;
    ServerEnd end;
    bool foreign = false;                         ///< gtUDP: print datagrams that are not gtUDP too
    std::string file;                             ///< native: write one message to this; "": lines
    std::uint32_t message_bytes_max = 16u << 20;  ///< native
};

/// `ringpost recv --transport native`.
int recv_native(const RecvOptions& options);

}  // namespace ringpost::apps
