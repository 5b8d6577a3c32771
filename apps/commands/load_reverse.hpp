#pragma once

#include "apps/commands/load_run.hpp"

namespace ringpost::apps {

/// After parsing. Rejects options that have no meaning for `load --reverse`.
void check_reverse(const CLI::App& command, const LoadOptions& options);

/// `load --reverse`: asks a sink to send, and verifies what comes. Returns the exit code.
int reverse_load(const LoadOptions& options, Report& report);

}  // namespace ringpost::apps
