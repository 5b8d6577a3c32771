#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/measuring/monitor.hpp"
#include "apps/measuring/options.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/measuring/probe_options.hpp"
#include "apps/measuring/trials.hpp"
#include "codec/traffic/scenario.hpp"

namespace ringpost::apps {

/// What stamps the replies: --stamps.
enum class Stamps : std::uint8_t { none, kernel, hardware };

struct LatencyOptions : MeasureOptions {  // a rate of 0 is a closed loop
    ProbeOptions probes;
    Stamps stamps = Stamps::none;
    bool ping_pong = false;    // given explicitly
    std::uint32_t window = 0;  // of all engines together; 0: not given
    Duration warm_up = 0;
    std::uint64_t count = UINT64_MAX;
    Duration duration = never;
    Duration timeout = 0;  // an unanswered probe is then lost; 0: not given
    TrialOptions trials;
    bool flows_given = false;
    bool per_flow = false;
    bool mtu_search = false;
    std::string scenario_file;                          // "": none
    std::shared_ptr<const traffic::Scenario> scenario;  // set after parsing, else null
};

/// Flows of all engines: as given, or more if the ids of a preset would repeat while they are in use.
std::uint32_t flows_of(const LatencyOptions& options);

RunShape shape_of(const LatencyOptions& options);

/// Makes one run and returns the outcome of this process's engines, with the counters of the Prober and the engine.
/// `notify` prints a note for the user.
Outcome measure_latency(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                        RunDirectory& directory, const std::function<void(const std::string&)>& notify);

}  // namespace ringpost::apps
