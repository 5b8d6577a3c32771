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

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/measuring/live_view.hpp"
#include "apps/measuring/metrics.hpp"
#include "apps/runs/directory.hpp"
#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// Tells of a run while it goes on: on the terminal or as events, to Prometheus, and in its directory. What measures
/// only hands copies of its counts over, about once a second; all else is done by a thread of the monitor's, on
/// whatever core is free.
class Monitor {
  public:
    struct Options {
        RunShape shape;
        std::size_t engines = 1;
        std::string prometheus;  ///< where to listen; "": no metrics
        /// Adds what others know to a snapshot of all engines, such as the other end's counts. Called by the monitor's
        /// thread.
        std::function<void(Snapshot&)> complete;
    };

    /// Before the engines' threads are pinned. `report` and `run` are the monitor's until finish(); `run` may be null.
    Monitor(Options options, Report& report, RunDirectory* run);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// By the engine of that index: fill(Snapshot&) writes what it has counted since its start, over what is there. A
    /// first one with no time elapsed is the end of a warm-up. Does nothing while the last has not been taken: then the
    /// interval grows.
    template <class Fill>
    void hand_over(std::size_t engine, const Fill& fill) {
        Slot& slot = slots_[engine];
        if (!listens_ || slot.fresh.load(std::memory_order_acquire)) return;
        fill(slot.snapshot);
        slot.fresh.store(true, std::memory_order_release);
        handed_over_.release();
    }

    /// The engines have ended, with `end` as their sum. Throws what has kept it from telling.
    void finish(const Snapshot& end);

  private:
    struct Slot {
        std::atomic<bool> fresh{false};  ///< the snapshot is the monitor's
        Snapshot snapshot;
    };

    void watch();
    bool all_fresh() const;
    void collect();
    void tell(const Snapshot& now);
    void skip(const Snapshot& now);  ///< the next interval begins here

    Options options_;
    Report& report_;
    RunDirectory* run_;
    std::optional<LiveView> view_;
    std::optional<Metrics> metrics_;
    bool listens_;  ///< anybody wants to know
    std::unique_ptr<Slot[]> slots_;
    std::vector<Snapshot> latest_;  ///< of each engine
    Snapshot told_;
    std::exception_ptr failure_;  ///< why the thread has ended early
    std::atomic<bool> stopping_{false};
    std::counting_semaphore<> handed_over_{0};
    std::jthread thread_;  ///< last: ended before what it uses
};

/// --prometheus.
void add_prometheus(CLI::App& command, std::string& address);

/// The places of a run's loss, for a summary.
Json loss_json(const RunShape& shape, const Snapshot& snapshot);

}  // namespace ringpost::apps
