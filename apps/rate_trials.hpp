#pragma once

// latency at many rates: the highest that is good enough, and how latency grows with the rate.

#include <functional>

#include "apps/options.hpp"
#include "apps/report.hpp"

namespace ringpost::apps {

struct TrialOptions {
    bool find_max = false;
    double loss_max = 0;       ///< a share; --find-max
    Duration p99_max = never;  ///< --find-max
    bool sweep = false;

    bool any() const { return find_max || sweep; }
};

/// --find-max, --loss, --p99, --sweep.
void add_trials(CLI::App& command, TrialOptions& options);

/// Measures at a rate per second; returns the summary of `latency`.
using Trial = std::function<Json(double rate)>;

/// Makes the trials, tells of each as it ends, then the result and the event `summary`. Returns the exit code: failed
/// when no rate is good enough.
int run_trials(const Report& report, const TrialOptions& options, const Trial& trial);

}  // namespace ringpost::apps
