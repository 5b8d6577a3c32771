#pragma once

#include "apps/cli/report.hpp"
#include "apps/measuring/verdict.hpp"

namespace ringpost::apps {

/// Prints that messages of gtUDP, which promises to deliver, were lost. Returns the exit code: `verdict`, or
/// Exit::failed unless that is a breach. Without gtUDP, or with a condition on loss in --fail-if, `verdict` stands.
int print_lost_messages(const Report& report, const Json& summary, const VerdictOptions& options, int verdict);

}  // namespace ringpost::apps
