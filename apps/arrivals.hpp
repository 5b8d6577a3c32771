#pragma once

// When an open loop's datagrams are due: load and latency.

#include <optional>
#include <string>

#include "apps/options.hpp"
#include "apps/report.hpp"
#include "codec/load/rate_profile.hpp"

namespace ringpost::apps {

struct ArrivalOptions {
    load::Arrivals arrivals = load::Arrivals::fixed;
    std::uint64_t seed = 0;  ///< drawn at random unless --seed says it
    std::uint32_t burst = 1;
    std::string profile_file;
    std::optional<load::RateProfile> profile;

    /// Where the options of an endpoint take it.
    const load::RateProfile* profile_or_null() const { return profile ? &*profile : nullptr; }
};

/// --arrivals, --seed, --burst, --profile.
void add_arrivals(CLI::App& command, ArrivalOptions& options);

/// After parsing: reads the profile, whose highest rate becomes `rate`, and whose length, unless a duration was given,
/// `duration`. Refuses what does not go together.
void check_arrivals(const CLI::App& command, ArrivalOptions& options, double& rate, Duration& duration);

/// `2000/s`, `2000/s poisson (--seed 7)`, `as in FILE`, and bursts.
std::string arrivals_text(const ArrivalOptions& options, double rate);
/// Adds what is not the default: `seed`, `burst`, `profile`.
void add_arrivals(Json& summary, const ArrivalOptions& options);

}  // namespace ringpost::apps
