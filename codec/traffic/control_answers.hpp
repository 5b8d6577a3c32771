#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/traffic/control.hpp"

namespace ringpost::traffic {

/// Each request is answered or withheld.
struct ControlCounters {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::uint64_t withheld = 0;  ///< too many at a time, or from a port that could cause a loop

    static constexpr auto table() {
        return std::to_array<Counter<ControlCounters>>({
            {"asked", &ControlCounters::asked},
            {"answered", &ControlCounters::answered},
            {"withheld", &ControlCounters::withheld},
        });
    }
};
static_assert(lists_every_counter<ControlCounters>());

/// The answers that a sink owes to requests of the control channel: at most limits::control_answers_per_s, each of the
/// size of its request.
class ControlAnswers {
  public:
    ControlAnswers();

    /// Counts a request; false if it gets no answer.
    bool admit(Instant now, const Datagram& request);
    /// After admit().
    void answer(const Datagram& request, const Control& answer);
    std::optional<Transmit> poll_transmit(std::span<std::byte> out);

    const ControlCounters& counters() const { return counts_; }

  private:
    struct Owed {
        Address to;
        LocalPath path;
        Control answer;
    };

    RingQueue<Owed> owed_;
    Instant paid_until_ = 0;  ///< each answer takes its share of a second
    ControlCounters counts_;
};

}  // namespace ringpost::traffic
