#pragma once

// --transport and the options of gtUDP, the same for every subcommand that has them.

#include <cstdint>
#include <ringpost/gtudp.hpp>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"

namespace ringpost::apps {

struct TransportOptions {
    bool gtudp = false;
    bool checked = false;  ///< see gtudp::Wire
    gtudp::Wire wire;
    gtudp::Codec codec;  ///< of `wire`
    gtudp::ResendOptions resending;
    gtudp::CongestionControl congestion = gtudp::CongestionControl::cubic;
    std::uint32_t window = 0;                ///< 0: what fits a receive buffer, see window_for()
    std::string magic, types;                ///< as given
    std::vector<const char*> gtudp_options;  ///< options of the command that require gtUDP
};

struct TransportChoice {
    bool window = false;      ///< with --window
    bool gtudp_only = false;  ///< gtUDP is the default and the only choice
};
/// --transport, --magic, --types, --checked, --sends, --patience, --recv-sends, --resend-after, --congestion,
/// --window.
void add_transport(CLI::App& command, TransportOptions& options, TransportChoice choice);

/// To be called after parsing: builds the codec. Throws CLI::ValidationError if gtUDP options are given without gtUDP
/// or contradict each other.
void check_transport(const CLI::App& command, TransportOptions& options);

/// The number of messages of `bytes` in flight: --window, or 16 to 8,192 that hold at most 2 MiB, so that they fit the
/// receive buffer of the peer.
std::uint32_t window_for(const TransportOptions& options, std::size_t bytes);

/// Options for an endpoint that starts now, with fresh random values.
gtudp::Options wire_options(const TransportOptions& options);
/// For a messenger: the same, on a port that the kernel chooses.
gtudp::OpenOptions open_options(const CommonOptions& common, const TransportOptions& transport);

/// Adds the counters of gtUDP; some are also direct members, under names of their own.
void add_wire_counts(Json& counts, const gtudp::Counters& counters);
/// The same, and that the transport is gtUDP.
void add_wire(Json& summary, const gtudp::Counters& counters);
/// The same as a line of text.
std::string wire_text(const Json& summary);

}  // namespace ringpost::apps
