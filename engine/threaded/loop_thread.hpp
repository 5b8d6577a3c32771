#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include <ringpost/error.hpp>

namespace ringpost {

/// A thread that opens a backend (an io_uring belongs to the thread that created it), reports the result to start(),
/// and runs a loop. All signals are blocked, so that they go to the program's own threads.
class LoopThread {
  public:
    /// The thread's function. Calls opened() when it is ready, or returns an error.
    using Body = std::function<std::optional<Error>(const std::function<void()>& opened)>;

    LoopThread() = default;
    ~LoopThread() { join(); }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    /// Call once. Waits until the body has called opened(), or returns its error.
    std::optional<Error> start(Body body);
    /// Waits for the thread to end; does not stop it. Thread-safe and idempotent.
    void join();
    /// The child after fork() has no such thread, and does not wait for it.
    void forget() { running_ = false; }

  private:
    static void* run(void* self);
    void finish_opening(std::optional<Error> failure);

    Body body_;
    std::optional<Error> failure_;
    std::mutex joining_;
    pthread_t thread_{};
    std::atomic<std::uint32_t> opened_{0};
    bool running_ = false;
};

}  // namespace ringpost
