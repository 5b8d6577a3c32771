#include "apps/measuring/engines.hpp"

#include "engine/os/clock.hpp"

#include <sys/prctl.h>

namespace ringpost::apps {

EnginePart part_of(const Agents& agents, std::size_t engine, std::size_t engines, std::uint64_t flows) {
    const Share of_agent{engine, engines};
    return {.share = {agents.rank() * engines + engine, agents.count() * engines},
            .flows = static_cast<std::uint32_t>(of_agent.part(flows)),
            .first_flow = agents.rank() * flows + of_agent.before(flows)};
}

void wake_punctually() { prctl(PR_SET_TIMERSLACK, 1); }

Instant StartLine::ready() {
    std::unique_lock lock(mutex_);
    if (--waiting_for_ == 0 && !failed()) {
        if (agents_ != nullptr) agents_->barrier();
        start_ = std::max(now() + settle, start_at_ == never ? Instant{0} : start_at_);
        changed_.notify_all();
    }
    changed_.wait(lock, [&] { return start_ || failed(); });
    if (!start_) throw Failure(Exit::failed, "another engine could not start");
    return *start_;
}

void StartLine::fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
}

}  // namespace ringpost::apps
