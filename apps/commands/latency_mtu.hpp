#pragma once

#include "apps/commands/latency_run.hpp"

namespace ringpost::apps {

/// --mtu-search.
void add_mtu_search(CLI::App& command, LatencyOptions& options);
/// After parsing. Rejects options that conflict, and sets those of a probe.
void check_mtu_search(const CLI::App& command, LatencyOptions& options);

/// Searches the largest datagram that `target`, an echo server, returns without fragments on the way there. Prints it
/// and the event `summary`. Returns the exit code.
int search_mtu(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
               const std::function<void(const std::string&)>& notify);

}  // namespace ringpost::apps
