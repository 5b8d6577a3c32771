#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "apps/cli/output.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// The processes that measure together: those that mpirun started, or this one alone. Every agent makes the same calls
/// in the same order. Only figures and reports travel this way; datagrams have sockets of their own.
///
/// Until it joins, an agent that fails simply ends with its exit code, and mpirun ends the others: check options and
/// open files before that. Once joined no agent may leave alone, because the others would wait: catch every exception,
/// report it, and call abort(). An exception that destroys a joined object ends all agents without a report.
class Agents {
  public:
    /// Takes rank and count from mpirun's environment. A Failure (usage) when several agents were started by a
    /// launcher that this program was not built for.
    Agents();
    /// Joins the others, once in a process, and after any fork: MPI does not survive one. No calls below before this. A
    /// Failure when MPI cannot be loaded.
    void join();
    /// When joined, waits until all agents come here.
    ~Agents();
    Agents(const Agents&) = delete;
    Agents& operator=(const Agents&) = delete;

    std::size_t rank() const { return rank_; }
    std::size_t count() const { return count_; }
    bool alone() const { return count_ == 1; }
    bool joined() const { return library_ != nullptr; }

    /// Returns when all processes have called it. From any thread, one at a time. Busy-waits, like all calls here.
    void barrier() const;
    /// Returns every agent's text, by rank. Throws Failure in each process if they exceed 2 GiB together.
    std::vector<std::string> gather(const std::string& text) const;
    /// Replaces the histogram in each process by the exact sum of all.
    void add_up(Histogram& histogram) const;
    /// Ends all processes with that exit code. Returns if this is the only one.
    void abort(int exit_code) const;

  private:
    struct Library;
    std::unique_ptr<const Library> library_;  ///< null when alone, and before join()
    std::size_t rank_ = 0, count_ = 1;
};

/// Whether this process reports its failure. All agents are likely to fail alike, and one report is enough: agents
/// other than the first wait until mpirun, which the first has ended with its own failure, ends them too.
bool speaks_for_all();

/// Returns what use(agents) returns; use() joins the agents when it is ready. What it throws after that, this process
/// reports, and ends all agents.
template <class Use>
int as_agents(const Use& use) {
    Agents agents;
    const auto end_all = [&](int code, const char* text) {
        if (!agents.joined()) return;
        if (speaks_for_all()) diagnose(text);
        agents.abort(code);
    };
    try {
        return use(agents);
    } catch (const Failure& failure) {
        end_all(failure.exit_code, failure.what());
        throw;
    } catch (const std::exception& error) {
        end_all(Exit::failed, error.what());
        throw;
    }
}

}  // namespace ringpost::apps
