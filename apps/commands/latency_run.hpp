#pragma once

#include <functional>

#include "apps/measuring/monitor.hpp"
#include "apps/measuring/options.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/measuring/probe_options.hpp"
#include "apps/measuring/trials.hpp"

namespace ringpost::apps {

struct LatencyOptions : MeasureOptions {  // a rate of 0 is a closed loop
    ProbeOptions probes;
    bool stamps = false;
    bool ping_pong = false;    // said explicitly
    std::uint32_t window = 0;  // of all engines together; 0: not asked for
    Duration warm_up = 0;
    std::uint64_t count = UINT64_MAX;
    Duration duration = never;
    TrialOptions trials;
};

RunShape shape_of(const LatencyOptions& options);

/// One run, and what this process's engines come to. Told of in the counts, beside the engines' own: those of a Prober.
Outcome measure_latency(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                        RunDirectory& directory, const std::function<void(const std::string&)>& note);

}  // namespace ringpost::apps
