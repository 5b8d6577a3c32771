#pragma once

#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// The machine and this program, for run.json.
Json run_environment();

/// Which clock measures, what a read of it and of the other one costs, and how far it is off.
Json clock_json();
/// The same as a line: `clock       tsc, 8.9 ns to read (vdso 24.1), 0.3 ppm off`.
std::string clock_text(const Json& clock);

/// 2026-01-31T23:59:59Z
std::string utc_text(Duration since_1970);

/// Processor time this process has used, in seconds.
double cpu_seconds();

}  // namespace ringpost::apps
