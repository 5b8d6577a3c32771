#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "codec/confirmed/options.hpp"

namespace ringpost::confirmed {

/// The queue of events. Outcomes always fit, because the number of sends is limited; other events are limited by bytes.
class Events {
  public:
    explicit Events(std::size_t bytes_max) : bytes_left_(bytes_max) {}

    void push_outcome(Event event) { outcomes_.push_back(std::move(event)); }
    /// Returns false, without queuing the event, if there is no space.
    bool push(Event event) {
        const std::size_t bytes = bytes_of(event);
        if (bytes > bytes_left_) return false;
        bytes_left_ -= bytes;
        others_.push_back(std::move(event));
        return true;
    }

    /// The oldest outcome or, if there is none, the oldest other event.
    std::optional<Event> pop() {
        if (outcomes_.empty()) return pop_other();
        std::optional<Event> event(std::move(outcomes_.front()));
        outcomes_.pop_front();
        return event;
    }
    /// The oldest message; events before it are dropped.
    std::optional<Event> pop_message() {
        auto event = pop_other();
        while (event && event->kind != Event::Kind::message) event = pop_other();
        return event;
    }
    /// The outcome of the given send.
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

    /// The oldest event that is not an outcome.
    std::optional<Event> pop_other() {
        if (others_.empty()) return std::nullopt;
        std::optional<Event> event(std::move(others_.front()));
        others_.pop_front();
        bytes_left_ += bytes_of(*event);
        return event;
    }

  private:
    static std::size_t bytes_of(const Event& event) { return sizeof(Event) + event.message.text().size(); }

    std::size_t bytes_left_;
    std::deque<Event> outcomes_, others_;
};

}  // namespace ringpost::confirmed
