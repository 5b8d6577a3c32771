#pragma once

// Whether a run is valid, and whether its figures meet the limits of --fail-if.

#include <optional>
#include <string>
#include <vector>

#include <ringpost/time.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// Judges whether an open loop kept its schedule. Adds `valid`, and `invalid_reason` if it is false. A run is invalid
/// if `rate_share`, the achieved share of its rate, is below 99 %, or if the p99 of its slip exceeds a tenth of the p99
/// of its response, which then measures the sender. `response` is null if none was measured.
void judge(Json& summary, double rate_share, const Histogram& slip, const Histogram* response);

/// Makes the run INVALID for one more reason: sets `valid` to false and appends to `invalid_reason`, separated by `; `.
void add_invalid(Json& summary, const std::string& reason);

/// A condition of --fail-if: `p99>1ms`, `loss>0.1%`, `rate<100k`.
struct Condition {
    std::string text;
    std::string figure;  ///< min, p50, p90, p99, p999, p9999 or max of the response; loss; rate
    bool above = false;  ///< breached above the limit; otherwise below
    double limit = 0;    ///< us; a share from 0 to 1; per second
};
std::vector<Condition> parse_conditions(const std::vector<std::string>& texts);

struct VerdictOptions {
    bool strict = false;
    std::vector<std::string> fail_if;
};
void add_verdict(CLI::App& command, VerdictOptions& options);

/// Prints whether the run is INVALID and each breached condition, and adds the latter to the summary as `breached`. An
/// unmeasured figure counts as a breach. Returns the exit code: done, failed (--strict), or breach.
int print_verdict(const Report& report, Json& summary, const VerdictOptions& options);

}  // namespace ringpost::apps
