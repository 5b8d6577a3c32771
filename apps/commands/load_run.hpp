#pragma once

#include "apps/measuring/monitor.hpp"
#include "apps/measuring/options.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/measuring/payload_options.hpp"

namespace ringpost::apps {

struct LoadOptions : MeasureOptions {
    Duration duration = 5 * second;
    PayloadOptions payloads;
    bool verify = true;
    bool one_way = false;
    bool bidirectional = false;
    bool control = true;   ///< ask a sink elsewhere for its counts
    bool reverse = false;  ///< the sink sends
    bool find_max = false;
    bool per_flow = false;
    double loss_max = 1e-4;  ///< of --find-max: a share
};

RunShape shape_of(const LoadOptions& options);

/// Throws a Failure if the target is a group, but the mode needs one peer.
void check_load_target(const LoadOptions& options, const Address& target);

/// Whether the other end is asked for its counts: only a sink can know them, and only of verified frames.
bool asks_far_counts(const LoadOptions& options, const Address& target);

/// Returns the outcome of this process's engines. Its counts are those of the engine and of gtUDP, `bytes_sent`,
/// `unexpected`, `trains`, `refused` (engines that found the peer's port closed at the start), and with --bidirectional
/// the `back_` counts of the way back; `back_gaps` are missing between answers that came.
Outcome measure_load(const LoadOptions& options, const Address& target, const Agents& agents, Monitor& monitor,
                     const Report& report);

}  // namespace ringpost::apps
