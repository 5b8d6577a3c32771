#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codec/base/histogram.hpp"

namespace ringpost::apps {

/// The processes that measure together: those that mpirun has started, or this one alone. What all take part in must be
/// called by each, in the same order. Only numbers and reports travel this way; datagrams have sockets of their own.
class Agents {
  public:
    /// Joins the others; one at a time in a process, before it starts threads or other engines. A Failure when mpirun
    /// has started several and this was built without MPI.
    Agents();
    ~Agents();
    Agents(const Agents&) = delete;
    Agents& operator=(const Agents&) = delete;

    std::size_t rank() const { return rank_; }
    std::size_t count() const { return count_; }
    bool alone() const { return count_ == 1; }

    /// Returns when all have come. From any thread, one at a time.
    void barrier() const;
    /// Every agent's text, by rank, at each.
    std::vector<std::string> gather(const std::string& text) const;
    /// At each, the sum of all: exactly as if everything had been recorded there.
    void add_up(Histogram& histogram) const;
    /// Ends all of them with that exit code. Returns when alone.
    void abort(int exit_code) const;

  private:
    std::size_t rank_ = 0, count_ = 1;
};

}  // namespace ringpost::apps
