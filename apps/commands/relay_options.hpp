#pragma once

// The options of `ringpost relay`.

#include <cstdint>
#include <string>

#include "apps/cli/random.hpp"
#include "apps/cli/server.hpp"
#include "apps/cli/server_end.hpp"
#include "codec/relay/endpoint.hpp"

namespace ringpost::apps {

struct BurstLoss {
    double chance = 0;
    std::uint32_t datagrams = 1;
};

struct Blackhole {
    Duration on = 0, off = 0;
};

struct RelayOptions {
    ServerOptions server;
    ServerEnd end;  ///< counts the datagrams of both directions
    std::string to;
    relay::Impairments impairments;  ///< without the next two
    BurstLoss burst;
    Blackhole blackhole;
    std::uint64_t seed = random_value<std::uint64_t>();
};

void add_relay_options(CLI::App& command, RelayOptions& options);

/// All impairments, the same for both directions.
relay::Impairments impairments_of(const RelayOptions& options);

}  // namespace ringpost::apps
