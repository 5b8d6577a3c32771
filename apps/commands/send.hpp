#pragma once

#include <cstdint>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/transport.hpp"

namespace ringpost::apps {

struct SendOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    std::string text = "-";
    std::string file;           ///< native: send this as one message; "": lines
    std::uint32_t channel = 0;  ///< native
    Duration timeout = 0;       ///< 0: give up after --sends and --patience; native: when the peer is silent
};

/// `ringpost send --transport native`.
int send_native(const SendOptions& options);

}  // namespace ringpost::apps
