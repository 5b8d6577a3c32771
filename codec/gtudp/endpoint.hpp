#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/record_queue.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/options.hpp"
#include "codec/gtudp/receiver.hpp"
#include "codec/gtudp/sender.hpp"

namespace ringpost::gtudp {

/// Something for the application.
struct Event {
    enum class Kind : std::uint8_t {
        message,  ///< a peer's DATA, delivered once
        foreign,  ///< a datagram that is not gtUDP (Options::recv_from_any)
        outcome,  ///< how one of our sends has ended
    };
    Kind kind = Kind::message;
    Address peer;
    std::span<const std::byte> bytes;  ///< message, foreign: valid until the next call of the endpoint
    ExchangeId id;                     ///< outcome: whose; its index may be given to another exchange from now on
    Outcome outcome = Outcome::confirmed;
    std::uint32_t sends = 0;  ///< outcome: how often the DATA was sent
};

/// Messages that arrive, once each: both roles of gtUDP.
///
/// A message is delivered to the peer's application exactly once while both ends live and the peer answers at all,
/// whatever the network loses, repeats, delays or reorders within the remembered window (Options::remembered). Messages
/// may overtake each other. Every send ends in exactly one outcome, which is an event; only `confirmed` says that the
/// peer has it, the others do not say that it has not. The five calls are those of codec/include/ringpost/datagram.hpp.
class Endpoint {
  public:
    using Event = gtudp::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // its halves refer to it
    Endpoint& operator=(const Endpoint&) = delete;

    /// Takes a copy of `data` for `to`; it leaves with the next poll_transmit. It is given up unless confirmed by
    /// `deadline`.
    std::expected<ExchangeId, Refusal> send(Instant now, const Address& to, std::span<const std::byte> data,
                                            Instant deadline = never) {
        // Strangers who only sent something must not keep us from sending.
        if (context_.peers.all_held() && context_.peers.find(to) == none) receiver_.make_room_for_peer();
        return sender_.send(now, to, data, deadline);
    }
    /// Ends an exchange with the outcome `cancelled`; false when it has ended already. It may have been delivered.
    bool cancel(ExchangeId id) { return sender_.cancel(id); }
    /// Sends `bytes` as they are, once, to a peer that does not speak gtUDP; false when the queue is full.
    bool send_raw(const Address& to, std::span<const std::byte> bytes);
    /// Refuses every further send as not_ready; what is in flight goes on to its outcome.
    void close() { sender_.close(); }

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    /// How much more data sends could take: each takes its size rounded up to ChunkPool::chunk_bytes.
    std::size_t free_payload_bytes() const { return sender_.free_payload_bytes(); }
    /// Sends that have no outcome yet.
    std::uint32_t in_flight() const { return sender_.in_flight(); }
    Counters counters() const;
    /// The smoothed round trip to `peer`, 0 when unknown.
    Duration rtt(const Address& peer) const;

  private:
    struct Arrived {
        Address peer;
        Event::Kind kind;
    };

    /// The application can be given a message of so many bytes.
    bool has_room(std::size_t bytes) const {
        return context_.counts.delivered < context_.options.deliveries_max && arrived_.has_room(bytes);
    }
    void take_foreign(const Datagram& in);
    std::optional<Transmit> poll_raw(std::span<std::byte> out);

    Context context_;
    Sender sender_;
    Receiver receiver_;
    RecordQueue<Arrived> arrived_;
    RecordQueue<Address> raw_;
    bool shown_ = false;  ///< the front of arrived_ has been returned and goes with the next poll_event()
};

}  // namespace ringpost::gtudp
