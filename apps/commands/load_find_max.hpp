#pragma once

#include "apps/commands/load_run.hpp"

namespace ringpost::apps {

/// After parsing. Rejects options that conflict with --find-max, and sets the duration of a trial.
void check_find_max(const CLI::App& command, LoadOptions& options);

/// `load --find-max`: the rate and the loss of an unpaced trial, and the highest pace whose loss stays within the
/// bound. Returns the exit code.
int find_max_load(const LoadOptions& options, const Agents& agents, Report& report);

}  // namespace ringpost::apps
