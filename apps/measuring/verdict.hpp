#pragma once

// Whether a run is valid, which of its percentiles stand, and whether its figures meet the limits of --fail-if. The
// rules are explained in apps/README.md, "Verdicts".

#include <optional>
#include <string>
#include <vector>

#include <ringpost/time.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// Judges whether an open loop kept its schedule, by the summary's `due` and `unsent`. Adds `valid`, and
/// `invalid_reason` if it is false.
void judge_schedule(Json& summary);

/// Adds `lateness_us` and `stands` for each percentile of the response: how much of it may be the sender's own
/// lateness, and whether it describes the peer all the same. The run is INVALID if the median does not stand. Call it
/// after judge_schedule().
void judge_lateness(Json& summary, const Histogram& response, const Histogram& service, std::uint64_t lost);
/// Whether the percentiles of a histogram of that name rank lost probes behind all others.
bool ranks_lost(const std::string& histogram);
/// `lateness_us` and `stands` as a sentence.
std::string lateness_text(const Json& summary);

/// Makes the run INVALID for one more reason: sets `valid` to false and appends to `invalid_reason`, separated by `; `.
void add_invalid(Json& summary, const std::string& reason);

/// Whether a limit is met. A time that exceeds a limit only with the sender's lateness cannot be decided.
enum class Met : std::uint8_t { yes, no, undecided };

/// A condition of --fail-if: `p99>1ms`, `loss>0.1%`, `errors>0`, `errors>1%`, `rate<100k`.
struct Condition {
    std::string text;
    std::string figure;  ///< min, p50, p90, p95, p99, p999, p9999 or max of the times; loss; errors; errors_share;
                         ///< rate
    bool above = false;  ///< breached above the limit; otherwise below
    double limit = 0;    ///< us; a share from 0 to 1; a count; per second

    /// An unmeasured figure does not meet it.
    Met met_by(const Json& summary) const;
};
std::vector<Condition> parse_conditions(const std::vector<std::string>& texts);

/// Whether a condition bounds errors, which need replies that are checked; the loss; times.
bool bounds_errors(const std::string& condition);
bool bounds_loss(const std::string& condition);
bool bounds_times(const std::string& condition);

struct VerdictOptions {
    bool strict = false;
    std::vector<std::string> fail_if;
};
void add_verdict(CLI::App& command, VerdictOptions& options);
/// --fail-if alone, for a run that has no schedule.
void add_fail_if(CLI::App& command, std::vector<std::string>& conditions, const char* help);

/// Prints whether the run is INVALID, and each condition that is breached or undecided, and adds the latter to the
/// summary as `breached` and `undecided`. Returns the exit code: done, breach or cannot_tell.
int print_verdict(const Report& report, Json& summary, const VerdictOptions& options);

}  // namespace ringpost::apps
