#pragma once

// What the sink of `load --to` has received, asked over the control channel once everything is sent.

#include "apps/cli/random.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/counts_asker.hpp"
#include "engine/loop/loop.hpp"

namespace ringpost::apps {

/// Stops the loop once every flow has an outcome, or the other end's port is closed.
template <class AnyLoop>
class AskApplication {
  public:
    AskApplication(AnyLoop& loop, const traffic::CountsAsker& asker)
        : loop_(loop), asker_(asker), unreachable_before_(loop.backend().counters().unreachable) {}

    void on_event(Instant, const traffic::CountsAsker::Event&) {}
    Instant on_turn(Instant) {
        if (asker_.finished() || loop_.backend().counters().unreachable > unreachable_before_) loop_.stop();
        return never;
    }

  private:
    AnyLoop& loop_;
    const traffic::CountsAsker& asker_;
    std::uint64_t unreachable_before_;
};

/// Asks on the sockets of the flows. Takes 700 ms if the other end does not answer.
template <class AnyLoop>
traffic::FarCounts ask_far_counts(AnyLoop& loop, std::span<const std::uint64_t> sent, std::uint32_t stream) {
    traffic::CountsAsker asker({.sent = sent, .stream = stream, .key = random_key(), .start = now()});
    AskApplication application(loop, asker);
    loop.run(asker, application);
    return asker.counts();
}

/// Completes a load's summary, which has the counts under `counters.far`: `far_known`, and if it is true `received`,
/// `lost`, `duplicate`, `reordered` and `corrupt`.
void add_far_counts(Json& summary);
/// The same as lines of text.
void print_far_counts(const Report& report, const Json& summary);

}  // namespace ringpost::apps
