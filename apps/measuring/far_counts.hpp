#pragma once

// What the sink of `load --to` has received, and how far its clock is, asked over the control channel once everything
// is sent.

#include "apps/cli/random.hpp"
#include "apps/cli/report.hpp"
#include "apps/measuring/engines.hpp"
#include "codec/traffic/clock_asker.hpp"
#include "codec/traffic/counts_asker.hpp"
#include "engine/loop/loop.hpp"

namespace ringpost::apps {

/// Stops the loop once everything is answered or given up, or the other end's port is closed.
template <class AnyLoop, class Asker>
class AskApplication {
  public:
    AskApplication(AnyLoop& loop, const Asker& asker)
        : loop_(loop),
          asker_(asker),
          unreachable_before_(loop.backend().counters().unreachable),
          look_(now(), look_every) {}

    void on_event(Instant, const typename Asker::Event&) {}
    Instant on_turn(Instant at) {
        // Counters are of all sockets, of which there may be many.
        const bool looks = look_.tick(at).has_value();
        if (asker_.finished() || (looks && loop_.backend().counters().unreachable > unreachable_before_)) loop_.stop();
        return look_.next();
    }

  private:
    AnyLoop& loop_;
    const Asker& asker_;
    std::uint64_t unreachable_before_;
    Ticker look_;
};

/// Asks on the sockets of the flows. Takes 700 ms if the other end does not answer.
template <class AnyLoop>
traffic::FarCounts ask_far_counts(AnyLoop& loop, std::span<const std::uint64_t> sent, std::uint32_t stream) {
    traffic::CountsAsker asker({.sent = sent, .stream = stream, .key = random_key(), .start = now()});
    AskApplication application(loop, asker);
    loop.run(asker, application);
    return asker.counts();
}

/// Compares the wall clocks; `wall_offset` is that of --one-way. Adds `clock_offset_us`, by how much the sink's clock
/// is ahead, and `clock_offset_error_us` to a load's facts, or null for both if the sink does not answer.
template <class AnyLoop>
void add_clock_offset(Json& facts, AnyLoop& loop, std::uint32_t stream, Duration wall_offset) {
    traffic::ClockAsker asker({.stream = stream, .key = random_key(), .wall_offset = wall_offset, .start = now()});
    AskApplication application(loop, asker);
    loop.run(asker, application);
    const auto offset = asker.offset();
    facts["clock_offset_us"] = offset ? Json(static_cast<double>(offset->estimate()) / 1e3) : Json();
    facts["clock_offset_error_us"] = offset ? Json(static_cast<double>(offset->error()) / 1e3) : Json();
}

/// Completes a load's summary, which has the counts under `counters.far`: `far_known`, and if it is true `received`,
/// `lost`, `duplicate`, `reordered` and `corrupt`.
void add_far_counts(Json& summary);
/// The same as lines of text.
void print_far_counts(const Report& report, const Json& summary);

}  // namespace ringpost::apps
