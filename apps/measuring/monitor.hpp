#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <ringpost/native/statistics.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/measuring/live_view.hpp"
#include "apps/measuring/metrics.hpp"
#include "apps/runs/directory.hpp"
#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// Reports a run while it goes on: on the terminal or as events, to Prometheus, and to its directory. The engines only
/// hand over copies of their counts, about once a second. A thread of the monitor does the rest, on any free core.
class Monitor {
  public:
    struct Options {
        RunShape shape;
        std::size_t engines = 1;
        std::string prometheus;  ///< where to listen; "" for no metrics
        /// Adds figures from elsewhere, such as those of the peer, to the sum of all engines. Called on the monitor's
        /// thread.
        std::function<void(Snapshot&)> complete;
    };

    /// Before the engines' threads are pinned. `report` and `run` are the monitor's until finish(); `run` may be null.
    Monitor(Options options, Report& report, RunDirectory* run);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// Called by the engine of that index. fill(Snapshot&) overwrites a snapshot with the counts since the start. A
    /// first snapshot with no time elapsed ends a warm-up. Does nothing while the previous snapshot waits to be
    /// collected; the interval then gets longer.
    template <class Fill>
    void hand_over(std::size_t engine, const Fill& fill) {
        Slot& slot = slots_[engine];
        if (!active_ || slot.fresh.load(std::memory_order_acquire)) return;
        fill(slot.snapshot);
        slot.fresh.store(true, std::memory_order_release);
        handed_over_.release();
    }

    /// Called when the engines have ended, with `end` as their sum. Throws what has stopped the monitor's thread early,
    /// which also ends the run.
    void finish(const Snapshot& end);

  private:
    struct Slot {
        std::atomic<bool> fresh{false};  ///< the snapshot belongs to the monitor
        Snapshot snapshot;
    };

    void watch();
    bool all_fresh() const;
    void collect();
    void publish(const Snapshot& now);
    void skip(const Snapshot& now);  ///< starts the next interval here

    Options options_;
    Report& report_;
    RunDirectory* run_;
    std::optional<LiveView> view_;
    std::optional<Metrics> metrics_;
    bool active_;  ///< there is any output
    std::unique_ptr<Slot[]> slots_;
    std::vector<Snapshot> latest_;  ///< of each engine
    Snapshot reported_;
    std::exception_ptr failure_;  ///< ended the thread early
    std::atomic<bool> stopping_{false};
    std::counting_semaphore<> handed_over_{0};
    std::jthread thread_;  ///< last: joined before what it uses is destroyed
};

/// Writes what a connection of the native transport knows of its path and has done.
void fill_connection(Snapshot& now, const native::Path& path, const native::Statistics& counts);

/// --prometheus.
void add_prometheus(CLI::App& command, std::string& address);

}  // namespace ringpost::apps
