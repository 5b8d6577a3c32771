#pragma once

// When the datagrams of an open loop are due: load and latency.

#include <memory>
#include <optional>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/rate_profile.hpp"

namespace ringpost::apps {

struct ArrivalOptions {
    traffic::Arrivals arrivals = traffic::Arrivals::fixed;
    std::uint64_t seed = 0;  ///< random unless --seed is given
    std::uint32_t burst = 1;
    std::string profile_file;
    std::optional<traffic::RateProfile> profile;
    std::shared_ptr<const traffic::Recording> recording;  ///< of --pcap-timing
    std::uint64_t rate_bits = 0;                          ///< --rate as given in bits per second; 0: in datagrams
};

/// --arrivals, --seed, --burst, --profile.
void add_arrivals(CLI::App& command, ArrivalOptions& options);

/// --rate, in datagrams as `parse` reads them or in bits per second.
CLI::Option* add_rate(CLI::App& command, double& rate, ArrivalOptions& options, double (*parse)(const std::string&),
                      const std::string& help);

/// After parsing: the rate of --rate in bits, for payloads of this mean size.
void settle_rate(const ArrivalOptions& options, double& rate, double bytes_mean);

/// After parsing: reads the profile and sets `rate` to its highest rate and `duration`, unless given, to its length.
/// Rejects options that conflict.
void check_arrivals(const CLI::App& command, ArrivalOptions& options, double& rate, Duration& duration);

/// Sets the schedule of a Source or a Prober.
template <class EndpointOptions>
void set_arrivals(EndpointOptions& endpoint, const ArrivalOptions& options, double rate, Instant start) {
    endpoint.rate_per_s = rate;
    endpoint.arrivals = options.arrivals;
    endpoint.arrivals_seed = options.seed;
    endpoint.burst = options.burst;
    endpoint.profile = options.profile ? &*options.profile : nullptr;
    endpoint.recording = options.recording.get();
    endpoint.start = start;
}

/// `2000/s`, `2000/s poisson (--seed 7)`, `as in FILE`, and bursts.
std::string arrivals_text(const ArrivalOptions& options, double rate);
/// Adds `seed`, `burst` and `profile` where they are not the default.
void add_arrivals(Json& summary, const ArrivalOptions& options);

}  // namespace ringpost::apps
