#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "codec/confirmed/options.hpp"

namespace ringpost::confirmed {

/// Something for the application.
struct Event {
    enum class Kind : std::uint8_t {
        outcome,  ///< how one of our sends has ended
        message,  ///< a peer's neutral message, or its failure report for which nothing waited
        target,   ///< the endpoint has learnt its target from `initialize`
    };
    Kind kind = Kind::message;
    Address peer{};  ///< outcome: whom it was sent to; message: where it came from; target: who that is
    /// message: what it says; outcome, when confirmed or failed: what the peer has answered
    Value message{};  // NOLINT(readability-redundant-member-init): GCC warns where it is left out of a list
    Status status = Status::none;  ///< message: none or failed

    SendNumber number = 0;  ///< outcome: whose
    Outcome outcome = Outcome::confirmed;
    bool left = true;  ///< outcome timed_out: it has been sent
};

/// What waits to be told. Outcomes always have room, for sends are taken by their number; the rest is bounded by bytes.
class Events {
  public:
    explicit Events(std::size_t bytes_max) : bytes_left_(bytes_max) {}

    void push_outcome(Event event) { outcomes_.push_back(std::move(event)); }
    /// False, and nothing kept, when there is no room.
    bool push(Event event) {
        const std::size_t bytes = bytes_of(event);
        if (bytes > bytes_left_) return false;
        bytes_left_ -= bytes;
        others_.push_back(std::move(event));
        return true;
    }

    /// The oldest outcome; when there is none, the oldest of the rest.
    std::optional<Event> pop() {
        if (outcomes_.empty()) return pop_other();
        std::optional<Event> event(std::move(outcomes_.front()));
        outcomes_.pop_front();
        return event;
    }
    /// The oldest message; what stood before it is forgotten.
    std::optional<Event> pop_message() {
        auto event = pop_other();
        while (event && event->kind != Event::Kind::message) event = pop_other();
        return event;
    }
    /// The outcome of that send.
    std::optional<Event> pop_outcome(SendNumber number) {
        for (auto it = outcomes_.begin(); it != outcomes_.end(); ++it) {
            if (it->number != number) continue;
            std::optional<Event> event(std::move(*it));
            outcomes_.erase(it);
            return event;
        }
        return std::nullopt;
    }

    std::size_t outcomes() const { return outcomes_.size(); }

  private:
    static std::size_t bytes_of(const Event& event) { return sizeof(Event) + event.message.text().size(); }

    std::optional<Event> pop_other() {
        if (others_.empty()) return std::nullopt;
        std::optional<Event> event(std::move(others_.front()));
        others_.pop_front();
        bytes_left_ += bytes_of(*event);
        return event;
    }

    std::size_t bytes_left_;
    std::deque<Event> outcomes_, others_;
};

}  // namespace ringpost::confirmed
