#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace ringpost::apps {

/// The other end of a --self run: a child process on another core, which ends with this one.
class SelfPeer {
  public:
    /// In the child: tells the parent one line, by which both know that the child is ready, or its result.
    using Tell = std::function<void(const std::string& line)>;

    /// Forks; the child runs `run` and exits with what it returns. Call it before any thread or engine is started.
    /// Each of the two is pinned to a core of its own where there is more than one.
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
