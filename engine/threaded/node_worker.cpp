// Events are taken from the endpoint only while there is room for one in the users' queue. What stays there makes the
// endpoint hold its peers back; a user who makes room wakes this thread, and the next turn takes more.

#include "engine/threaded/node_worker.hpp"

#include <algorithm>
#include <utility>

namespace ringpost::devices {

void NodeWorker::handle(Instant now, const Datagram& in) {
    endpoint_.handle(now, in);
    take_events();
}

void NodeWorker::handle(Instant now, const StreamInput& in) {
    endpoint_.handle(now, in);
    take_events();
}

void NodeWorker::handle_timeout(Instant now) {
    endpoint_.handle_timeout(now);
    take_events();
}

Instant NodeWorker::on_turn(Instant at) {
    const bool more = shared_.run_jobs(*this, at);
    if (shared_.stopping() && !std::exchange(closing_, true)) endpoint_.close(at);
    take_events();
    stopped_ = closing_ && endpoint_.finished();
    ring();
    return more ? at : never;
}

bool NodeWorker::on_sleep() {
    ring();  // for what has come since on_turn(), of a write that was done at once
    if (closing_ && endpoint_.finished()) return false;  // the next on_turn() says that it is over
    return shared_.fall_asleep(closing_);
}

void NodeWorker::ring() {
    if (std::exchange(arrived_, false)) shared_.notices.ring();
    if (std::exchange(asked_, false)) shared_.questions.ring();
}

void NodeWorker::take_events() {
    while (true) {
        const bool full = shared_.notices.full();
        shared_.hold_back(full);
        if (full) return;
        const auto event = endpoint_.poll_event();
        if (!event) return;
        take(*event);
    }
}

void NodeWorker::take(const devices::Event& event) {
    using Kind = devices::Event::Kind;
    if (event.kind == Kind::answers) {
        const auto found = askers_.find(event.ask.index);
        if (found == askers_.end()) return;
        Asker& asker = *found->second;
        askers_.erase(found);
        asker.answers.assign(event.answers.begin(), event.answers.end());
        asker.done.tell();
        return;
    }
    if (event.kind == Kind::rejoin) {
        rejoin_ = true;
        return;
    }
    const bool question = event.kind == Kind::question;
    if (question && shared_.questions.full()) {
        ++questions_dropped_;
        return;
    }
    (question ? shared_.questions : shared_.notices)
        .push({.kind = event.kind,
               .cause = event.cause,
               .name = std::string(event.name),
               .text = std::string(event.text),
               .question = event.question,
               .address = event.address,
               .unsent = event.unsent});
    (question ? asked_ : arrived_) = true;
}

void NodeWorker::forget(const Asker& asker) {
    std::erase_if(askers_, [&](const auto& expected) { return expected.second == &asker; });
}

NodeCounters NodeWorker::counters() const {
    NodeCounters out;
    out.protocol = endpoint_.counters();
    out.questions_dropped = questions_dropped_;
    add_engine_counts_(out);
    return out;
}

void NodeWorker::finish() {
    for (const auto& [index, asker] : askers_) {
        asker->stopped = true;
        asker->done.tell();
    }
    askers_.clear();
    shared_.finish();
}

}  // namespace ringpost::devices
