#pragma once

// Congestion control as a value: a closed set of algorithms behind one interface, without virtual calls. Another
// algorithm (BBR) is one more alternative of `Algorithm` and one more branch per call.

#include <cstdint>
#include <variant>

#include <ringpost/time.hpp>
#include "codec/recovery/cubic.hpp"
#include "codec/recovery/fixed.hpp"
#include "codec/recovery/samples.hpp"

namespace ringpost::recovery {

class Congestion {
  public:
    explicit Congestion(const Cubic& cubic) : algorithm_(cubic) {}
    explicit Congestion(const Fixed& fixed) : algorithm_(fixed) {}

    void on_sent(Instant now, std::uint64_t number) {
        if (auto* cubic = std::get_if<Cubic>(&algorithm_)) cubic->on_sent(now, number);
    }
    /// `packets`: newly acknowledged.
    void on_ack(Instant now, const AckSample& sample, std::uint64_t packets, const Rtt& rtt) {
        if (auto* cubic = std::get_if<Cubic>(&algorithm_)) return cubic->on_ack(now, sample, rtt);
        std::get_if<Fixed>(&algorithm_)->on_ack(now, packets);
    }
    void on_lost(Instant now, const LossSample& sample) {
        if (auto* cubic = std::get_if<Cubic>(&algorithm_)) return cubic->on_lost(now, sample);
        std::get_if<Fixed>(&algorithm_)->on_lost(now, sample.packets);
    }
    /// Packets called lost before were acknowledged.
    void on_late(Instant now, std::uint64_t packets) {
        if (auto* cubic = std::get_if<Cubic>(&algorithm_)) return cubic->on_late(now, packets);
        std::get_if<Fixed>(&algorithm_)->on_late(now, packets);
    }

    /// Bytes that may be in flight.
    std::uint64_t window() const {
        if (const auto* cubic = std::get_if<Cubic>(&algorithm_)) return cubic->window();
        return std::get_if<Fixed>(&algorithm_)->window();
    }
    /// Bytes per second; 0: not paced.
    double pacing_rate(const Rtt& rtt) const {
        if (const auto* cubic = std::get_if<Cubic>(&algorithm_)) return rtt.known() ? cubic->pacing_rate(rtt) : 0;
        return std::get_if<Fixed>(&algorithm_)->pacing_rate();
    }
    /// How often the breaker of `fixed` has tripped.
    std::uint64_t trips() const {
        const auto* fixed = std::get_if<Fixed>(&algorithm_);
        return fixed == nullptr ? 0 : fixed->trips();
    }
    bool in_slow_start() const {
        const auto* cubic = std::get_if<Cubic>(&algorithm_);
        return cubic != nullptr && cubic->in_slow_start();
    }

  private:
    using Algorithm = std::variant<Cubic, Fixed>;
    Algorithm algorithm_;
};

}  // namespace ringpost::recovery
