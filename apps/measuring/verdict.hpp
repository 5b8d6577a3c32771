#pragma once

// Whether a run's figures may be believed, and whether they are good enough.

#include <optional>
#include <string>
#include <vector>

#include <ringpost/time.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// Judges how well an open loop has kept its schedule, of whose rate `rate_share` was achieved. Adds `valid` and, where
/// it is false, `invalid_reason`: less than 99 % of the rate, or a slip whose p99 is more than a tenth of the
/// response's, so that what was measured is the sender. `response` is null where none was measured.
void judge(Json& summary, double rate_share, const Histogram& slip, const Histogram* response);

/// One of --fail-if: `p99>1ms`, `loss>0.1%`, `rate<100k`.
struct Condition {
    std::string text;
    std::string figure;  ///< min, p50, p90, p99, p999, p9999 or max of the response; loss; rate
    bool above = false;  ///< breached above the limit; else below
    double limit = 0;    ///< us; a share from 0 to 1; per second
};
std::vector<Condition> parse_conditions(const std::vector<std::string>& texts);

struct VerdictOptions {
    bool strict = false;
    std::vector<std::string> fail_if;
};
void add_verdict(CLI::App& command, VerdictOptions& options);

/// Tells of an INVALID run and of each condition that holds, and adds the latter to the summary as `breached`; a figure
/// that was not measured is breached. Returns the exit code: done; failed, of --strict; or breach.
int tell_verdict(const Report& report, Json& summary, const VerdictOptions& options);

}  // namespace ringpost::apps
