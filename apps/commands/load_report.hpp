#pragma once

#include "apps/commands/load_run.hpp"

namespace ringpost::apps {

/// The summary of the sender alone.
Json summary_of(const LoadOptions& options, const Outcome& of);

/// The summary of sender and sink. The sink's figures replace those of the sender that they make more precise; lost is
/// what was sent but did not arrive.
Json join_reports(Json sender, const Json& sink);

/// With --bidirectional: the datagrams that came back intact, each counted once.
std::uint64_t returned(const Json& summary);

void print_summary(const Report& report, const LoadOptions& options, const Agents& agents, const Json& summary);

}  // namespace ringpost::apps
