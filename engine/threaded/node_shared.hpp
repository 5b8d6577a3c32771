#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <ringpost/node.hpp>
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/futex.hpp"
#include "engine/threaded/wake_up.hpp"

namespace ringpost::devices {

class NodeWorker;

/// Whom the node's thread wakes when something has been done for them.
class Done {
  public:
    /// From the store on it may be gone: only its address is used then, and waking who sleeps on that is harmless.
    void tell() {
        done_.store(1, std::memory_order_release);
        futex_wake(done_, 1);
    }
    /// False when `deadline` has passed without.
    bool wait(Instant deadline) const {
        while (done_.load(std::memory_order_acquire) == 0) {
            if (deadline <= now()) return false;
            futex_wait(done_, 0, deadline);
        }
        return true;
    }

  private:
    std::atomic<std::uint32_t> done_{0};
};

/// What a Node's users and its thread, the NodeWorker, have in common. A call is a Job on its user's stack, who waits
/// until the worker has run it; what arrives is handed over in queues, each item its receiver's own.
class NodeShared {
  public:
    explicit NodeShared(const NodeOptions& options)
        : notices(options.notices_max), questions(options.questions_max), jobs_(jobs_max) {}
    ~NodeShared();
    NodeShared(const NodeShared&) = delete;
    NodeShared& operator=(const NodeShared&) = delete;

    struct Job {
        virtual void run(NodeWorker& worker, Instant at) = 0;
        bool ran = false;
        Done done;

      protected:
        ~Job() = default;
    };

    /// A queue of notices to users, and who waits for them.
    class Inbox {
      public:
        explicit Inbox(std::uint32_t capacity) : queue_(capacity) {}
        bool full() const { return queue_.full(); }
        /// There is room.
        void push(Notice notice);
        void ring() { bell_.ring(everybody); }
        std::optional<Notice> pop(Instant deadline, const std::atomic<bool>& over);

      private:
        BoundedQueue<Notice*> queue_;
        Bell bell_;
    };

    // ---- users --------------------------------------------------------------------------------

    /// f(NodeWorker&, Instant) on the node's thread. False, and f was not called, when the node has stopped.
    template <class F>
    bool call(F&& f) {
        struct Call final : Job {
            explicit Call(F& given) : function(given) {}
            void run(NodeWorker& worker, Instant at) override { function(worker, at); }
            F& function;
        } job(f);
        submit(job);
        return job.ran;
    }
    std::optional<Notice> receive(Instant deadline);
    std::optional<Notice> next_question(Instant deadline) { return questions.pop(deadline, over_); }
    void stop();

    // ---- the worker ---------------------------------------------------------------------------

    /// Before anybody else uses this.
    std::optional<Error> wake_by(const Waker& waker) { return wake_up_.by(waker); }
    bool stopping() const { return stopping_.load(std::memory_order_acquire); }
    /// `closing`: the worker knows that it is to stop.
    bool fall_asleep(bool closing) {
        return wake_up_.fall_asleep(
            [this, closing] { return jobs_.empty() && (closing || !stopping()) && (!held_back() || notices.full()); });
    }
    /// Runs what users have asked for, a bounded number; true when there may be more.
    bool run_jobs(NodeWorker& worker, Instant at);
    /// The worker has found `notices` full, and leaves the rest with the endpoint until there is room.
    void hold_back(bool yes) { held_back_.store(yes, std::memory_order_relaxed); }
    bool held_back() const { return held_back_.load(std::memory_order_relaxed); }
    /// The last that the worker does. From here on calls return at once.
    void finish();

    Inbox notices, questions;

  private:
    static constexpr std::uint32_t jobs_max = 1'024;  // users who call at the same time: more of them wait for a place

    void submit(Job& job);
    void end_leftovers();

    BoundedQueue<Job*> jobs_;
    WakeUp wake_up_;
    std::atomic<bool> stopping_{false}, held_back_{false};
    std::atomic<bool> over_{false};  // finish() has put everything where users look
};

}  // namespace ringpost::devices
