// start() blocks all signals, creates the thread, which inherits the mask, and restores the mask. It then waits on a
// futex until the body has called opened() or returned an error.

#include "engine/threaded/loop_thread.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in here only

#include <utility>

#include "engine/os/futex.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {

std::optional<Error> LoopThread::start(Body body) {
    body_ = std::move(body);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&thread_, nullptr, run, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return thread_error("start the engine's thread", error);
    running_ = true;
    while (opened_.load(std::memory_order_acquire) == 0) futex_wait(opened_, 0, never);
    return failure_;
}

void LoopThread::join() {
    const std::lock_guard lock(joining_);
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
}

void* LoopThread::run(void* self) {
    auto& thread = *static_cast<LoopThread*>(self);
    if (auto failure = thread.body_([&] { thread.finish_opening(std::nullopt); }))
        thread.finish_opening(std::move(failure));
    return nullptr;
}

void LoopThread::finish_opening(std::optional<Error> failure) {
    failure_ = std::move(failure);
    opened_.store(1, std::memory_order_release);
    futex_wake(opened_, all_waiters);
}

}  // namespace ringpost
