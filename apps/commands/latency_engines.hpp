#pragma once

// What runs of latency have in common, whether their engines send probes or have sessions.

#include <functional>

#include "apps/commands/latency_run.hpp"
#include "apps/measuring/engines.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {

/// Shared by the engines of one run.
struct LatencyRun {
    const LatencyOptions& options;
    const Address& target;
    const Agents& agents;
    StartLine& line;
    Monitor& monitor;
    const std::function<void(const std::string&)>& notify;
};

/// Counters of an engine since the end of the warm-up.
class SinceWarmUp {
  public:
    void begin(const EngineCounters& counters) { before_ = counters; }
    /// A peer that was unreachable before is unreachable still.
    EngineCounters of(EngineCounters counters) const {
        for (const auto& row : EngineCounters::table()) counters.*row.member -= before_.*row.member;
        counters.unreachable += before_.unreachable;
        return counters;
    }

  private:
    EngineCounters before_;
};

/// When the probes or sessions of an engine began and ended.
struct RunTimes {
    std::uint64_t begun = 0, count = UINT64_MAX;  ///< `count`: of --count
    Instant stop = never, last_begun_at = 0, last_ended_at = 0;
};

/// A run of a given duration ends with it. A run of a given number of probes ends when one more would have been due, as
/// n probes take n gaps rather than n - 1; in a closed loop, when the last one is answered.
inline Instant end_of(const LatencyOptions& options, const RunTimes& times) {
    if (times.begun < times.count) return std::min(now(), times.stop);
    if (options.rate == 0) return std::max(times.last_begun_at, times.last_ended_at);
    const auto gap = options.arrivals.profile ? 0 : static_cast<Duration>(1e9 * options.arrivals.burst / options.rate);
    return times.last_begun_at + gap;
}

/// Runs all engines of this process, each with run_engine(loop, index, LatencyRun), and adds up their outcomes. See
/// measure_latency().
template <class RunEngine>
Outcome measure_engines(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                        RunDirectory& directory, const std::function<void(const std::string&)>& notify,
                        const RunEngine& run_engine) {
    const RunShape shape = shape_of(options);
    Monitor monitor(
        {.shape = shape, .engines = options.threads.count, .prometheus = options.prometheus, .complete = {}}, report,
        &directory);
    StartLine line(options.threads.count, &agents, start_at(options));
    directory.begin(shape, expected_start(options) + options.warm_up,
                    source_address_toward(target).value_or(Address{}));
    const LatencyRun run{options, target, agents, line, monitor, notify};
    Outcome mine = add_all(run_engines(options.common.engine, options.threads, Side::near, line, notify,
                                       [&](auto& loop, std::size_t engine) { return run_engine(loop, engine, run); }));
    monitor.finish(mine.snapshot);
    if (line.late() > 0) notify(late_text(line.late()));
    return mine;
}

}  // namespace ringpost::apps
