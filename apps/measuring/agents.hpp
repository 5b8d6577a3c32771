#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// The processes that measure together: those that mpirun has started, or this one alone. What all take part in must be
/// called by each, in the same order. Only numbers and reports travel this way; datagrams have sockets of their own.
///
/// Nobody may leave alone, because the others would wait. So whoever makes it catches what is thrown while it lives,
/// tells of it, and calls abort(); an exception that leaves all the same ends all of them, and nobody tells why.
class Agents {
  public:
    /// Joins the others; one at a time in a process and once, before it starts threads or other engines, and after it
    /// has forked what it will fork: MPI does not survive a fork. A Failure when mpirun has started several and this
    /// was built without MPI, or MPI cannot be loaded.
    Agents();
    /// Waits for the others to come here too.
    ~Agents();
    Agents(const Agents&) = delete;
    Agents& operator=(const Agents&) = delete;

    std::size_t rank() const { return rank_; }
    std::size_t count() const { return count_; }
    bool alone() const { return count_ == 1; }

    /// Returns when all have come. From any thread, one at a time. Like all waiting here it keeps a core busy.
    void barrier() const;
    /// Every agent's text, by rank, at each. All together below 2 GiB; else a Failure at each.
    std::vector<std::string> gather(const std::string& text) const;
    /// At each, the sum of all: exactly as if everything had been recorded there.
    void add_up(Histogram& histogram) const;
    /// Ends all of them with that exit code, this one included. Returns when alone.
    void abort(int exit_code) const;

  private:
    struct Library;
    std::unique_ptr<const Library> library_;  ///< null when alone
    std::size_t rank_ = 0, count_ = 1;
};

/// Joins the others, and returns what use(agents) does. What that throws is told by this process, and ends all of them.
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
