#pragma once

#include <algorithm>
#include <string>

#include "apps/cli/cores.hpp"
#include "apps/cli/multicast.hpp"
#include "apps/cli/server.hpp"
#include "apps/cli/sizes.hpp"
#include "apps/measuring/arrivals.hpp"
#include "apps/measuring/sender_options.hpp"
#include "apps/measuring/verdict.hpp"
#include "apps/runs/directory.hpp"

namespace ringpost::apps {

/// How long to wait for the last answers of a run.
inline constexpr Duration answers_linger = second;

/// The command line options that `load` and `latency` share.
struct MeasureOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    ForeignTargets foreign_targets = ForeignTargets::refused;
    MulticastOptions multicast;  ///< for a multicast target; the TTL for any
    SenderOptions sender;
    traffic::Sizes sizes = traffic::Sizes::fixed(64);
    double rate = 0;
    ArrivalOptions arrivals;
    std::uint32_t flows = 0;    ///< 0: one per engine
    ThreadOptions threads;      ///< and --self
    Duration start_at = never;  ///< since 1970; never: as soon as everything is ready
    std::string start_at_text;
    std::string prometheus;
    VerdictOptions verdict;
    RunOptions run;
};

/// Adds the options of add_sender(), --to, --self, --i-own-this-network, --flows, --threads, --cpu, --start-at,
/// --prometheus, and the options of arrivals, verdict and run directory. `to_help` and `self_help` are the help texts
/// of --to and --self.
void add_measuring(CLI::App& command, MeasureOptions& options, const std::string& to_help,
                   const std::string& self_help);
/// After parsing. Rejects options that conflict.
void check_measuring(const CLI::App& command, MeasureOptions& options);

/// The time of --start-at on the clock of now(), or `never`. Throws Failure if it is in the past.
Instant start_at(const MeasureOptions& options);

/// When a run that is ready now will start. Throws as start_at() does.
Instant expected_start(const MeasureOptions& options);

/// A note that the start was later than --start-at.
std::string late_text(Duration late);

/// An engine's share of what all engines of all agents do together.
struct Share {
    std::size_t index = 0, of = 1;
    /// This share of `whole`. Shares differ by at most 1 and add up to `whole`.
    std::uint64_t part(std::uint64_t whole) const { return whole / of + (index < whole % of ? 1 : 0); }
    /// What the shares before this one add up to.
    std::uint64_t before(std::uint64_t whole) const {
        return whole / of * index + std::min<std::uint64_t>(index, whole % of);
    }
};

/// Opens the socket of one of `flows`, which like `index` count those of all engines of all agents. If descriptors or
/// ports run out, the Failure names --flows.
UdpSocket open_flow(const MeasureOptions& options, SocketOptions socket, std::size_t index, std::size_t flows);

}  // namespace ringpost::apps
