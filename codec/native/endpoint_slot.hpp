#pragma once

// What an Endpoint keeps of one connection, and of an answer that waits to be sent. Only its own files use this.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "codec/native/endpoint.hpp"

namespace ringpost::native {

/// A datagram that belongs to no connection: an answer of the responder.
struct Endpoint::Answer {
    Address destination;
    LocalPath path;
    std::uint16_t bytes;
    std::array<std::byte, response_bytes_max> text;
};

struct Endpoint::Slot {
    enum class State : std::uint8_t { free, connecting, open, failed, over };

    std::uint32_t index = 0, use = 0;
    State state = State::free;
    bool ready = false, eventful = false;  ///< in these queues
    bool opened_event = false;
    Address peer{};
    LocalPath path{};
    /// Of a client whose rate is limited: bytes per second, and when all that it has sent would have arrived at that.
    std::uint64_t rate = UINT64_MAX;
    Instant arrived_at_rate = 0;
    Id local{}, remote{};
    crypto::Key peer_key{};
    std::string session{}, application{};
    ResetToken reset_token{};
    Initiator::Failure failure = Initiator::Failure::none;
    std::unique_ptr<Initiator> initiator;
    std::unique_ptr<Connection> connection;

    /// Counts a packet against the rate. False: it comes too early, even for a burst.
    bool admits(Instant now, std::size_t bytes) {
        if (rate == UINT64_MAX) return true;
        if (arrived_at_rate > now + limits::native_rate_burst) return false;
        const auto takes = static_cast<double>(bytes) * static_cast<double>(second) / static_cast<double>(rate);
        arrived_at_rate = std::max(arrived_at_rate, now) + static_cast<Duration>(takes);
        return true;
    }
    [[nodiscard]] ConnectionNumber number() const { return {index, use}; }
    [[nodiscard]] Instant due_at() const {
        if (initiator) return initiator->expires_at();
        return connection ? connection->poll_timeout() : never;
    }
    /// Nothing is left to be done but what waits in the queues.
    [[nodiscard]] bool is_over() const { return state == State::over || (state == State::open && connection->ended()); }
};

}  // namespace ringpost::native
