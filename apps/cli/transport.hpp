#pragma once

// --transport gtudp and what goes with it, the same for every subcommand that has it.

#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"

namespace ringpost::apps {

struct TransportOptions {
    bool gtudp = false;
    gtudp::Codec codec;
    gtudp::ResendOptions resending;
    std::uint32_t window = 0;              ///< 0: as many as a receive buffer holds, see window_for
    std::string magic, types;              ///< as typed
    std::vector<const char*> only_gtudps;  ///< the command's options that mean nothing without it
};

/// --transport, --magic, --types, --sends, --recv-sends, --resend-after; and, where `window`, --window. `only_gtudp`:
/// there is nothing else, and it is the default.
struct TransportChoice {
    bool window = false;
    bool only_gtudp = false;
};
void add_transport(CLI::App& command, TransportOptions& options, TransportChoice choice);

/// After parsing: refuses gtudp's options without gtudp; builds the codec; throws CLI::ValidationError when the options
/// do not fit together.
void check_transport(const CLI::App& command, TransportOptions& options);

/// Messages of `bytes` in flight: --window, or else at most 8,192 and 2 MiB of them, so that a socket's receive buffer
/// holds them all.
std::uint32_t window_for(const TransportOptions& options, std::size_t bytes);

/// For an endpoint: fresh randomness, time now.
gtudp::Options wire_options(const TransportOptions& options);

/// What the wire has done: taken, confirmed, gave_up, delivered, duplicates, resends, ...
Json wire_counts(const gtudp::Counters& counts);
/// The same added to a summary, and that it is of gtudp.
void add_wire(Json& summary, const gtudp::Counters& counts);
/// The same as a line of text.
std::string wire_text(const Json& summary);

}  // namespace ringpost::apps
