#pragma once

// The report of latency --scenario.

#include "apps/commands/latency_run.hpp"
#include "codec/traffic/scenario_runner.hpp"

namespace ringpost::apps {

/// Adds the counts of an engine's sessions and of each row; and the times of the rows to the histograms of its
/// snapshot, behind those of its shape.
void add_scenario_counts(Outcome& out, const traffic::ScenarioRunner& runner);

/// The event `summary`: that of `latency`, with sessions in place of probes, and `steps`.
Json scenario_summary(const LatencyOptions& options, const Outcome& of);

void print_scenario(const Report& report, const LatencyOptions& options, const Agents& agents, const Outcome& of,
                    const Json& summary);

/// Prints why no session was completed. Returns the exit code.
int explain_no_sessions(const Report& report, const Address& target, const Json& summary);

}  // namespace ringpost::apps
