#pragma once

#include "apps/commands/load_run.hpp"

namespace ringpost::apps {

/// The sender's view.
Json summary_of(const LoadOptions& options, const Outcome& of);

/// Both ends as one: what the sink saw replaces the sender's view where it knows better, and what never came is lost.
Json join_reports(Json sender, const Json& sink);

void print_summary(const Report& report, const LoadOptions& options, const Agents& agents, const Json& summary);

}  // namespace ringpost::apps
