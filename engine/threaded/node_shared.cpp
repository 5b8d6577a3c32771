// A job is pushed and then the loop woken (wake_up.hpp). When the loop has finished, what is left in jobs_ ends without
// having run: by finish(), or by whoever comes later.
//
// A user who takes a notice out of a full queue wakes the worker, which had stopped putting more there. The worker says
// so in held_back_ before it looks at the queue for the last time and sleeps; the user takes the notice and then looks
// at held_back_: as in wake_up.hpp, one of them sees what the other has done.

#include "engine/threaded/node_shared.hpp"

#include <sched.h>

#include "codec/base/check.hpp"

namespace ringpost::devices {
namespace {

constexpr int jobs_per_turn = 256;

}  // namespace

NodeShared::~NodeShared() {
    while (notices.pop(0, over_)) {
    }
    while (questions.pop(0, over_)) {
    }
}

void NodeShared::Inbox::push(Notice notice) {
    auto kept = std::make_unique<Notice>(std::move(notice));
    const bool pushed = queue_.try_push(kept.get());
    RINGPOST_CHECK(pushed);  // the worker alone pushes, and has asked full()
    [[maybe_unused]] Notice* const receivers = kept.release();
}

std::optional<Notice> NodeShared::Inbox::pop(Instant deadline, const std::atomic<bool>& over) {
    std::optional<Notice*> taken;
    bell_.wait(deadline, [&] {
        const bool none_will_come = over.load(std::memory_order_acquire);
        taken = queue_.try_pop();
        return taken || none_will_come;
    });
    if (!taken) return std::nullopt;
    const std::unique_ptr<Notice> notice(*taken);
    return std::move(*notice);
}

// ---- users ----------------------------------------------------------------------------------------

void NodeShared::submit(Job& job) {
    while (!jobs_.try_push(&job)) sched_yield();
    if (wake_up_.nudge() == WakeUp::finished) end_leftovers();
    job.done.wait(never);
}

std::optional<Notice> NodeShared::receive(Instant deadline) {
    auto notice = notices.pop(deadline, over_);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (held_back()) wake_up_.nudge();
    return notice;
}

void NodeShared::stop() {
    stopping_.store(true, std::memory_order_release);
    wake_up_.nudge();
}

void NodeShared::end_leftovers() {
    while (const auto job = jobs_.try_pop()) (*job)->done.tell();
}

// ---- the worker -----------------------------------------------------------------------------------

bool NodeShared::run_jobs(NodeWorker& worker, Instant at) {
    wake_up_.wake_up();
    for (int i = 0; i < jobs_per_turn; ++i) {
        const auto job = jobs_.try_pop();
        if (!job) return false;
        (*job)->run(worker, at);
        (*job)->ran = true;
        (*job)->done.tell();  // from here on it is its user's again, who may have returned
    }
    return true;
}

void NodeShared::finish() {
    wake_up_.finish();
    end_leftovers();
    over_.store(true, std::memory_order_release);
    notices.ring();
    questions.ring();
}

}  // namespace ringpost::devices
