#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/gtudp/types.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/record_queue.hpp"

namespace ringpost::gtudp {

/// Messages from one peer that arrived together, one after another in `bytes`. All have the same length.
struct Messages {
    Address peer;
    std::span<const std::byte> bytes;  ///< valid until the next call of the endpoint
    std::size_t message_bytes = 0;     ///< of each; 0: a single empty one
};

/// What waits for the application. Messages of one train are one record, so that they can be taken together. A record
/// keeps its space until the call after the one that took the last of it. Not thread-safe.
class Inbox {
  public:
    explicit Inbox(std::size_t capacity_bytes) : records_(capacity_bytes) {}

    /// Whether push() would accept a message of `bytes`.
    bool has_room(std::size_t bytes) const { return records_.has_room(bytes); }

    /// Returns false if there is no room. `joins` states that nothing was taken since the previous push, of a message
    /// from the same peer.
    bool push(const Address& peer, Event::Kind kind, std::span<const std::byte> bytes, bool joins = false) {
        if (joins && bytes.size() == newest_bytes_ && !bytes.empty() && records_.append(bytes)) return true;
        newest_bytes_ = bytes.size();
        return records_.push({peer, kind, static_cast<std::uint32_t>(bytes.size())}, bytes);
    }

    /// The next message or foreign datagram.
    std::optional<Event> poll_event() {
        drop_taken();
        const auto front = records_.front();
        if (!front) return std::nullopt;
        Event event;
        event.kind = front->header.kind;
        event.peer = front->header.peer;
        event.bytes = front->bytes.subspan(taken_bytes_, front->header.message_bytes);
        take(event.bytes.size(), front->bytes.size());
        return event;
    }

    /// What is left of the next record, at most `count_max` > 0 messages of it; nullopt if there is none or it is not
    /// of messages.
    std::optional<Messages> poll_messages(std::size_t count_max = limits::datagram_bytes_max) {
        drop_taken();
        const auto front = records_.front();
        if (!front || front->header.kind != Event::Kind::message) return std::nullopt;
        std::span<const std::byte> left = front->bytes.subspan(taken_bytes_);
        left = left.first(std::min(left.size(), count_max * front->header.message_bytes));
        take(left.size(), front->bytes.size());
        return Messages{front->header.peer, left, front->header.message_bytes};
    }

    /// The length of the next message or foreign datagram; 0 if there is none.
    std::size_t next_message_bytes() {
        drop_taken();
        const auto front = records_.front();
        return front ? front->header.message_bytes : 0;
    }

  private:
    struct Header {
        Address peer;
        Event::Kind kind;
        std::uint32_t message_bytes;
    };

    void take(std::size_t bytes, std::size_t record_bytes) {
        taken_bytes_ += bytes;
        front_taken_ = taken_bytes_ == record_bytes;
    }
    void drop_taken() {
        if (!front_taken_) return;
        records_.pop();
        front_taken_ = false;
        taken_bytes_ = 0;
    }

    RecordQueue<Header> records_;
    std::size_t newest_bytes_ = 0;  ///< length of the messages of the newest record
    std::size_t taken_bytes_ = 0;   ///< of the front record
    bool front_taken_ = false;      ///< as a whole
};

}  // namespace ringpost::gtudp
