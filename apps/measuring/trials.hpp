#pragma once

// latency more than once: the highest rate that is good enough, how latency grows with the rate, and how much of a
// figure is chance.

#include <cstdint>
#include <functional>
#include <optional>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"

namespace ringpost::apps {

struct TrialOptions {
    bool find_max = false;
    double loss_max = 0;       ///< a share; --find-max
    Duration p99_max = never;  ///< --find-max
    bool sweep = false;
    std::uint64_t repeat = 1;

    bool any() const { return find_max || sweep || repeat > 1; }
};

/// --find-max, --loss, --p99, --sweep, --repeat.
void add_trials(CLI::App& command, TrialOptions& options);

/// Measures at a rate per second, or as the command line says where there is none; returns the summary of `latency`.
using Trial = std::function<Json(std::optional<double> rate)>;

/// Makes the trials, tells of each as it ends, then the result and the event `summary`. Returns the exit code: failed
/// when no rate is good enough.
int run_trials(const Report& report, const TrialOptions& options, const Trial& trial);

}  // namespace ringpost::apps
