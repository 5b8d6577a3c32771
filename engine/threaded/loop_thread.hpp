#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include <ringpost/error.hpp>

namespace ringpost {

/// A thread that opens a backend (an io_uring belongs to the thread that made it), says whether that went well, and
/// turns a loop on it until it is told to stop. Signals are for the program's own threads: it takes none.
class LoopThread {
  public:
    /// What the thread does: it calls opened() once it can be used, or returns why it cannot.
    using Body = std::function<std::optional<Error>(const std::function<void()>& opened)>;

    LoopThread() = default;
    ~LoopThread() { join(); }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    /// Once. Returns when the body has called opened(), or with its error.
    std::optional<Error> start(Body body);
    /// Waits for the thread to end, which somebody has told it to. Any number of threads, any number of times.
    void join();

  private:
    static void* run(void* self);
    void tell_opened(std::optional<Error> failure);

    Body body_;
    std::optional<Error> failure_;
    std::mutex joining_;
    pthread_t thread_{};
    std::atomic<std::uint32_t> opened_{0};
    bool running_ = false;
};

}  // namespace ringpost
