#pragma once

#include "apps/commands/latency_run.hpp"

namespace ringpost::apps {

/// --scenario.
void add_scenario(CLI::App& command, LatencyOptions& options);
/// After parsing, before all other checks: reads the file, and sets the loop and the number of flows. Rejects options
/// that conflict.
void check_scenario(const CLI::App& command, LatencyOptions& options);

/// Runs sessions of the scenario against `target`, and prints the report and the event `summary`. Returns the exit
/// code.
int run_scenario(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                 RunDirectory& directory, const std::function<void(const std::string&)>& notify);

}  // namespace ringpost::apps
