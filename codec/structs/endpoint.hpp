#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/structs/library.hpp>
#include <ringpost/structs/types.hpp>
#include <ringpost/time.hpp>
#include "codec/base/record_queue.hpp"
#include "codec/structs/scanner.hpp"

namespace ringpost::structs {

/// Sends struct messages, one per datagram, and extracts those in received datagrams, which may hold several messages
/// and other bytes between them. Messages are not confirmed (see codec/gtudp for that), and there are no
/// timeouts.
class Endpoint {
  public:
    using Event = structs::Event;

    /// `library` must outlive this object; messages may be added to it. Messages are sent on `socket`.
    explicit Endpoint(const Library& library, SocketIndex socket = 0);

    /// Queues a copy of the payload; it is sent by the next poll_transmit().
    std::expected<void, Refusal> send(const Address& to, const Packet& packet);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

    const Counters& counters() const { return counts_; }
    /// Messages queued for sending.
    std::size_t waiting() const { return outgoing_.size(); }

  private:
    struct Outgoing {
        Address to;
        MessageId id;
    };

    std::expected<void, Refusal> refuse(Refusal refusal);
    void count_failure(FrameError error);
    Event event_of(const Packet& packet);
    void finish_datagram();

    const Library& library_;
    SocketIndex socket_;
    RecordQueue<Outgoing> outgoing_;
    RecordQueue<Address> received_;
    std::optional<Scanner> scanner_;                ///< of the front of received_
    std::optional<Scanner::Found> pending_packet_;  ///< a packet found behind damage, which is reported first
    bool packet_found_ = false;                     ///< in the front of received_
    Counters counts_;
};

}  // namespace ringpost::structs
