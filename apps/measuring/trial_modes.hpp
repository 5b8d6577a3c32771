#pragma once

// What the modes of several runs share: a trial's figures, and its line and event.

#include <optional>
#include <string>

#include "apps/cli/report.hpp"
#include "apps/measuring/trials.hpp"

namespace ringpost::apps {

/// Attempts at one rate, because a stall of the machine may spoil one.
inline constexpr int tries = 3;
/// With a larger share of probes that were due but not sent, a trial does not test its rate.
inline constexpr double unsent_max = 0.01;

/// The share of probes without a good answer.
double loss_of(const Json& summary);
/// The share of probes that were due but not sent.
double unsent_share(const Json& summary);
bool has_answers(const Json& summary);
/// In microseconds; infinite among the lost probes, nullopt if there was no probe.
std::optional<double> percentile_of(const Json& summary, const char* name);
/// `12.3`, `lost`, or `-` for nullopt.
std::string time_text(std::optional<double> us);

void print_heading(const Report& report);
/// Prints a trial as a line below the heading, and as the event `trial`.
void print_trial(const Report& report, std::optional<double> rate, const Json& summary, const std::string& outcome);

/// The modes. Each makes its trials, prints its result and the event `summary`, and returns the exit code.
int find_max(const Report& report, const TrialOptions& options, const Trial& trial);
int sweep(const Report& report, const Trial& trial);
int repeat(const Report& report, std::uint64_t count, const Trial& trial);

}  // namespace ringpost::apps
