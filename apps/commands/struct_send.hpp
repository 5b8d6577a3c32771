#pragma once

#include <string>
#include <vector>

#include "apps/cli/server.hpp"
#include "apps/cli/server_end.hpp"

namespace ringpost::apps {

struct StructOptions {
    ServerOptions server;  ///< `send` sets no port
    ServerEnd end;         ///< of `listen`
    std::string library;
    std::string to;
    std::string name;  ///< `send`; "" or "-": lines of standard input
    std::vector<std::string> values;
};

/// `ringpost struct send`. Returns the exit code.
int struct_send(const StructOptions& options);

}  // namespace ringpost::apps
