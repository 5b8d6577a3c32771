#pragma once

#include <ringpost/address.hpp>
#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// Describes the machine and this program for run.json; `nic` is the interface with the address `local`, or null.
Json run_environment(const Address& local = {});

/// The clock in use, the cost of reading it and the other one, and its error.
Json clock_json();
/// The same as a line of text: `clock       tsc, 8.9 ns to read (vdso 24.1), 0.3 ppm off`.
std::string clock_text(const Json& clock);

/// 2026-01-31T23:59:59Z
std::string utc_text(Duration since_1970);

/// Processor time used by this process, in seconds.
double cpu_seconds();

}  // namespace ringpost::apps
