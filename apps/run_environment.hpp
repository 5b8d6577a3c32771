#pragma once

#include "apps/report.hpp"

namespace ringpost::apps {

/// The machine and this program, for run.json.
Json run_environment();

/// 2026-01-31T23:59:59Z
std::string utc_text(Duration since_1970);

/// Processor time this process has used, in seconds.
double cpu_seconds();

}  // namespace ringpost::apps
