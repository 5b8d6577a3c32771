#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// The processes that measure together: those started by mpirun, or this one alone. Each must make the collective calls
/// in the same order. They exchange only figures and reports; datagrams use sockets.
///
/// A process that leaves alone would block the others. So the owner catches exceptions, reports them and calls abort(),
/// as as_agents() does. An exception that escapes nevertheless ends all processes without a report.
class Agents {
  public:
    /// Joins the other processes. Create it once per process, before any thread or engine and after any fork, which MPI
    /// does not survive. Throws Failure if mpirun has started several processes but this build has no MPI, or MPI
    /// cannot be loaded.
    Agents();
    /// Waits for the other processes.
    ~Agents();
    Agents(const Agents&) = delete;
    Agents& operator=(const Agents&) = delete;

    std::size_t rank() const { return rank_; }
    std::size_t count() const { return count_; }
    bool alone() const { return count_ == 1; }

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
    std::unique_ptr<const Library> library_;  ///< null when alone
    std::size_t rank_ = 0, count_ = 1;
};

/// Joins the other processes and returns the result of use(agents). Reports its exceptions and then ends all processes.
template <class Use>
int as_agents(const Use& use) {
    const Agents agents;
    const auto end_all = [&](int code, const char* text) {
        if (agents.alone()) return;
        std::fprintf(stderr, "ringpost: %s\n", text);
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
