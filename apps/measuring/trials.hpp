#pragma once

// Repeated runs of `latency`: the highest rate that passes, latency as a function of the rate, and the spread of
// several equal runs.

#include <cstdint>
#include <functional>
#include <optional>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"

namespace ringpost::apps {

struct TrialOptions {
    bool find_max = false;
    double loss_max = 0;         ///< a share; --find-max
    Duration p99_max = never;    ///< --find-max
    Duration duration = second;  ///< of a trial; --find-max takes longer ones where the percentile needs them
    bool sweep = false;
    std::uint64_t repeat = 1;

    bool any() const { return find_max || sweep || repeat > 1; }
};

/// --find-max, --loss, --p99, --sweep, --repeat.
void add_trials(CLI::App& command, TrialOptions& options);
/// Refuses trials of --find-max that are so short that buffers take in whatever is sent.
void check_trial_duration(Duration duration);

/// Rate per second and duration of a trial; what is absent is as given on the command line.
struct TrialRequest {
    std::optional<double> rate;
    std::optional<Duration> duration;
};
/// Makes a run. Returns the summary of `latency`.
using Trial = std::function<Json(const TrialRequest&)>;

/// Makes the trials and prints each as it ends, then the result and the event `summary`. Returns the exit code: failed
/// if no rate passes, cannot_tell if that is due to this machine.
int run_trials(const Report& report, const TrialOptions& options, const Trial& trial);

}  // namespace ringpost::apps
