#pragma once

// Runs one or several engines, each a loop in its own thread. The first runs in the calling thread.

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "apps/cli/cores.hpp"
#include "apps/cli/server.hpp"
#include "apps/measuring/agents.hpp"
#include "apps/measuring/options.hpp"

namespace ringpost::apps {

/// load, latency: from the creation of the sender to its first datagram, so that slow first calls are over.
inline constexpr Duration settle = 2 * millisecond;
/// How often engines check for a signal, a failed engine or an unreachable peer.
inline constexpr Duration look_every = 100 * millisecond;

/// A barrier that gives all engines of a run, including those of other agents, the same start time.
class StartLine {
  public:
    /// Also waits for the engines of other agents unless `agents` is null. The start is not before `start_at`, or with
    /// `never` as soon as all are ready and `settle` has passed.
    explicit StartLine(std::size_t engines, const Agents* agents = nullptr, Instant start_at = never)
        : waiting_for_(engines), agents_(agents), start_at_(start_at) {}

    /// Called once by each engine when it is ready. Blocks until all are, and returns the start time. Throws Failure if
    /// another engine has failed.
    Instant ready();
    /// Called by an engine that has failed, to stop the others.
    void fail();
    /// The delay after `start_at` because an engine was not ready. Call it after the start.
    Duration late() const { return start_ && start_at_ != never ? *start_ - start_at_ : 0; }
    /// Whether an engine has failed. Running engines poll it.
    bool failed() const { return failed_.load(std::memory_order_relaxed); }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t waiting_for_;
    const Agents* agents_;
    Instant start_at_;
    std::optional<Instant> start_;
    std::atomic<bool> failed_{false};
};

/// What one engine of one agent has of a run.
struct EnginePart {
    Share share;  ///< of all
    std::uint32_t flows = 0;
    std::uint64_t first_flow = 0;  ///< their number among those of all engines of all agents
};
/// `flows` are those of each agent.
EnginePart part_of(const Agents& agents, std::size_t engine, std::size_t engines, std::uint64_t flows);

/// Makes the kernel wake this thread when a timer is due, instead of up to 50 us later (PR_SET_TIMERSLACK). A schedule
/// that sleeps between datagrams would be late by as much.
void wake_punctually();

/// Calls run(loop, index) on each engine and returns the results by index. Calls `notify` once with the reason if a
/// backend is not available. After all engines have ended, rethrows the exception of the first that failed.
template <class Run, class Notify>
auto run_engines(const EngineOptions& options, const ThreadOptions& threads, Side side, StartLine& line,
                 const Notify& notify, const Run& run) {
    using Result = decltype(run(std::declval<Loop<UringBackend>&>(), std::size_t{0}));
    std::vector<std::optional<Result>> results(threads.count);
    std::vector<std::exception_ptr> failures(threads.count);
    const auto one = [&](std::size_t index) {
        try {
            const Pinned pinned(core_of(threads, side, index));
            wake_punctually();
            const auto notify_once = [&](const std::string& text) {
                if (index == 0) notify(text);
            };
            results[index].emplace(
                value_or_fail(with_loop(options, notify_once, [&](auto& loop) { return run(loop, index); })));
        } catch (...) {
            // An engine that stops because another has failed has no error of its own.
            if (!line.failed()) failures[index] = std::current_exception();
            line.fail();
        }
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t index = 1; index < threads.count && !line.failed(); ++index) {
            try {
                others.emplace_back(one, index);
            } catch (...) {  // no more threads: the others do not wait for this one
                failures[index] = std::current_exception();
                line.fail();
            }
        }
        if (others.size() + 1 == threads.count) one(0);
    }
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
    std::vector<Result> out;
    out.reserve(results.size());
    for (auto& result : results) out.push_back(std::move(*result));
    return out;
}

}  // namespace ringpost::apps
