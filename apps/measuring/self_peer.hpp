#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "apps/cli/cores.hpp"

namespace ringpost::apps {

/// What the other end of a --self run has counted so far, in memory that both processes have. Made before the SelfPeer.
class SharedCounters {
  public:
    struct Counters {
        std::uint64_t received = 0, lost = 0, socket_dropped = 0;
    };

    SharedCounters();
    ~SharedCounters();
    SharedCounters(const SharedCounters&) = delete;
    SharedCounters& operator=(const SharedCounters&) = delete;

    /// By the engine of that index, below threads_max, of the other end.
    void publish(std::size_t engine, const Counters& counts);
    /// By this end: of all engines.
    Counters sum() const;

  private:
    struct alignas(64) Slot {
        std::atomic<std::uint64_t> received{0}, lost{0}, socket_dropped{0};
    };
    struct Page {
        std::array<Slot, threads_max> slots;
    };
    Page* page_;
};

/// The other end of a --self run: a child process on another core, which ends with this one.
class SelfPeer {
  public:
    /// In the child: tells the parent one line, by which both know that the child is ready, or its result.
    using Tell = std::function<void(const std::string& line)>;

    /// Forks; the child runs `run` and exits with what it returns. Call it before any thread or engine is started.
    explicit SelfPeer(const std::function<int(const Tell&)>& run);
    ~SelfPeer();
    SelfPeer(const SelfPeer&) = delete;
    SelfPeer& operator=(const SelfPeer&) = delete;

    /// The child's next line; throws Failure when it has ended without one.
    std::string hear() const;
    /// Asks the child to stop; it will tell its result.
    void stop() const;

  private:
    pid_t child_ = -1;
    int pipe_ = -1;
};

}  // namespace ringpost::apps
