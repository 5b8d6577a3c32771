#pragma once

// What an Endpoint keeps of one connection, and of an answer that waits to be sent. Only its own files use this.

#include <array>
#include <cstdint>
#include <memory>

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
    Id local{}, remote{};
    crypto::Key peer_key{};
    ResetToken reset_token{};
    Initiator::Failure failure = Initiator::Failure::none;
    std::unique_ptr<Initiator> initiator;
    std::unique_ptr<Connection> connection;

    [[nodiscard]] ConnectionNumber number() const { return {index, use}; }
    [[nodiscard]] Instant due_at() const {
        if (initiator) return initiator->expires_at();
        return connection ? connection->poll_timeout() : never;
    }
    /// Nothing is left to be done but what waits in the queues.
    [[nodiscard]] bool is_over() const { return state == State::over || (state == State::open && connection->ended()); }
};

}  // namespace ringpost::native
