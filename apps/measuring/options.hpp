#pragma once

#include <string>

#include "apps/cli/cores.hpp"
#include "apps/cli/multicast.hpp"
#include "apps/cli/server.hpp"
#include "apps/cli/sizes.hpp"
#include "apps/measuring/arrivals.hpp"
#include "apps/measuring/verdict.hpp"
#include "apps/runs/directory.hpp"

namespace ringpost::apps {

/// How long the last answers of a run are waited for.
inline constexpr Duration answers_linger = second;

/// What `load` and `latency` have in common on the command line.
struct MeasureOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    ForeignTargets foreign_targets = ForeignTargets::refused;
    MulticastOptions multicast;  ///< of a target that is a group
    traffic::Sizes sizes = traffic::Sizes::fixed(64);
    double rate = 0;
    ArrivalOptions arrivals;
    std::uint32_t flows = 0;    ///< 0: one for each engine
    ThreadOptions threads;      ///< and --self
    Duration start_at = never;  ///< since 1970; never: as soon as all is ready
    std::string start_at_text;
    std::string prometheus;
    VerdictOptions verdict;
    RunOptions run;
};

/// --to, --self, --i-own-this-network, --flows, --threads, --cpu, --start-at, --prometheus, and those of arrivals,
/// verdict, run directory. `to_help` is that of --to, `self_help` of --self.
void add_measuring(CLI::App& command, MeasureOptions& options, const std::string& to_help,
                   const std::string& self_help);
/// After parsing. Refuses what does not go together.
void check_measuring(const CLI::App& command, MeasureOptions& options);

/// When --start-at is, on now()'s clock; `never` without. Failure when it is in the past.
Instant start_at(const MeasureOptions& options);

/// When a run that is ready now will begin. Failure as of start_at().
Instant expected_start(const MeasureOptions& options);

/// That a start was later than --start-at.
std::string late_text(Duration late);

/// An engine's part of something that all engines of all agents do together.
struct Share {
    std::size_t index = 0, of = 1;
    /// Of so many, each share's number differs by 1 at most, and they add up.
    std::uint64_t part(std::uint64_t whole) const { return whole / of + (index < whole % of ? 1 : 0); }
};

/// A socket from which an engine of load or latency sends to `target`. A Failure names --flows when there are too many.
UdpSocket open_flow(const MeasureOptions& options, const SocketOptions& socket);

}  // namespace ringpost::apps
