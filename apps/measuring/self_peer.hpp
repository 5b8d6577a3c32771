#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "apps/cli/cores.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {

/// The receiver's figures of a --self run, in memory shared by both processes. Create it before the SelfPeer.
class SharedFigures {
  public:
    SharedFigures();
    ~SharedFigures();
    SharedFigures(const SharedFigures&) = delete;
    SharedFigures& operator=(const SharedFigures&) = delete;

    /// Called by the receiver's engine of that index, below threads_max.
    void publish(std::size_t engine, const Snapshot& now);
    /// Replaces what only the receiver knows by the sums over its engines.
    void copy_to(Snapshot& now) const;

    /// Called by the sender at its end: how many datagrams there are to receive.
    void announce_sent(std::uint64_t sent) const { page_->sent = sent; }
    /// UINT64_MAX before announce_sent().
    std::uint64_t sent() const { return page_->sent; }

  private:
    struct alignas(64) Slot {
        std::array<std::atomic<std::uint64_t>, std::size(figures)> values{};  ///< in the order of the table
    };
    struct Page {
        std::atomic<std::uint64_t> sent{UINT64_MAX};
        std::array<Slot, threads_max> slots;
    };
    Page* page_;
};

/// The peer of a --self run: a child process, which ends with this one.
class SelfPeer {
  public:
    /// Writes a line to the parent: the child's port when it is ready, or its result.
    using WriteLine = std::function<void(const std::string& line)>;

    /// Forks. The child calls `run` and exits with its return value. Call it before any thread or engine is started.
    explicit SelfPeer(const std::function<int(const WriteLine&)>& run);
    ~SelfPeer();
    SelfPeer(const SelfPeer&) = delete;
    SelfPeer& operator=(const SelfPeer&) = delete;

    /// The child's next line. Throws Failure when it has exited without one.
    std::string read_line() const;
    /// Asks the child to stop; it then writes its result.
    void stop() const;

  private:
    pid_t child_ = -1;
    int pipe_ = -1;
    mutable std::string unread_;  ///< from the pipe
};

}  // namespace ringpost::apps
