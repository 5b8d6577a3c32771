#pragma once

// One engine or several, each a loop in a thread and on a core of its own. The first is the calling thread's.

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

namespace ringpost::apps {

/// load, latency: from the making of what sends to its first datagram, so that what is slow the first time is over.
inline constexpr Duration settle = 10 * millisecond;
/// load, latency: how often they look whether there is still somebody to send to.
inline constexpr Duration look_every = 100 * millisecond;

/// Where the engines of a run wait for each other, and for those of other agents, so that all begin at one time.
class StartLine {
  public:
    /// `agents` waits for the others' engines too, unless it is null. `start_at`: not before that time; `never`: as
    /// soon as all are ready and `settle` has passed.
    explicit StartLine(std::size_t engines, const Agents* agents = nullptr, Instant start_at = never)
        : waiting_for_(engines), agents_(agents), start_at_(start_at) {}

    /// To be called once by each engine that is ready; returns the start when all are. Throws Failure, with nothing to
    /// say, when another engine could not get ready.
    Instant ready();
    /// To be called instead, or later, by one that has failed: the others shall not go on.
    void fail();
    /// How long after `start_at` the start was, because not all were ready; 0 when it was kept. After the start.
    Duration late() const { return start_ && start_at_ != never ? *start_ - start_at_ : 0; }
    /// An engine has failed. Those that run look at it now and then.
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

/// What each engine's run(loop, index) returns, by index. `note` is called once to report which backend is refused and
/// why. Throws what the first engine that failed has thrown, after all have ended.
template <class Run, class Note>
auto run_engines(const EngineOptions& options, const ThreadOptions& threads, Side side, StartLine& line,
                 const Note& note, const Run& run) {
    using Result = decltype(run(std::declval<Loop<UringBackend>&>(), std::size_t{0}));
    std::vector<std::optional<Result>> results(threads.count);
    std::vector<std::exception_ptr> failures(threads.count);
    const auto one = [&](std::size_t index) {
        try {
            const Pinned pinned(core_of(threads, side, index));
            const auto note_once = [&](const std::string& text) {
                if (index == 0) note(text);
            };
            results[index].emplace(
                value_or_fail(with_loop(options, note_once, [&](auto& loop) { return run(loop, index); })));
        } catch (...) {
            // One that gives up because another has failed has nothing of its own to tell.
            if (!line.failed()) failures[index] = std::current_exception();
            line.fail();
        }
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t index = 1; index < threads.count; ++index) others.emplace_back(one, index);
        one(0);
    }
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
    std::vector<Result> out;
    out.reserve(results.size());
    for (auto& result : results) out.push_back(std::move(*result));
    return out;
}

}  // namespace ringpost::apps
