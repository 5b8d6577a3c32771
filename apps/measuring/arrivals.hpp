#pragma once

// When an open loop's datagrams are due: load and latency.

#include <optional>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/rate_profile.hpp"

namespace ringpost::apps {

struct ArrivalOptions {
    traffic::Arrivals arrivals = traffic::Arrivals::fixed;
    std::uint64_t seed = 0;  ///< drawn at random unless --seed says it
    std::uint32_t burst = 1;
    std::string profile_file;
    std::optional<traffic::RateProfile> profile;
};

/// --arrivals, --seed, --burst, --profile.
void add_arrivals(CLI::App& command, ArrivalOptions& options);

/// After parsing: reads the profile, whose highest rate becomes `rate`, and whose length, unless a duration was given,
/// `duration`. Refuses what does not go together.
void check_arrivals(const CLI::App& command, ArrivalOptions& options, double& rate, Duration& duration);

/// Tells a Source or a Prober when to send.
template <class EndpointOptions>
void set_arrivals(EndpointOptions& endpoint, const ArrivalOptions& options, double rate, Instant start) {
    endpoint.rate_per_s = rate;
    endpoint.arrivals = options.arrivals;
    endpoint.arrivals_seed = options.seed;
    endpoint.burst = options.burst;
    endpoint.profile = options.profile ? &*options.profile : nullptr;
    endpoint.start = start;
}

/// `2000/s`, `2000/s poisson (--seed 7)`, `as in FILE`, and bursts.
std::string arrivals_text(const ArrivalOptions& options, double rate);
/// Adds what is not the default: `seed`, `burst`, `profile`.
void add_arrivals(Json& summary, const ArrivalOptions& options);

}  // namespace ringpost::apps
