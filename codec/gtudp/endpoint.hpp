#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/record_queue.hpp"
#include "codec/gtudp/context.hpp"
#include "codec/gtudp/inbox.hpp"
#include "codec/gtudp/options.hpp"
#include "codec/gtudp/receiver.hpp"
#include "codec/gtudp/sender.hpp"

namespace ringpost::gtudp {

/// The gtUDP protocol: confirmed datagrams, sent and received.
///
/// As long as both endpoints live and the peer responds, a message is delivered to the peer's application exactly once,
/// even if the network drops, duplicates, delays or reorders datagrams within the remembered window
/// (Options::remembered). Messages are unordered. Every accepted send ends with exactly one outcome event. `confirmed`
/// means that the peer has the message; with any other outcome the peer may or may not have it. The five calls are
/// specified in codec/include/ringpost/endpoint.hpp.
class Endpoint {
  public:
    using Event = gtudp::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // sender_ and receiver_ hold references to context_
    Endpoint& operator=(const Endpoint&) = delete;

    /// Queues a copy of `data` for `to`; it is sent by the next poll_transmit(). The send is given up if it has not
    /// been confirmed by `deadline`. `origin` is `own` if the application chose `to`: nothing is
    /// withheld. A `reply` to an address that has not confirmed anything yet must not amplify: it is sent as long as
    /// the address gets at most three times the bytes received from it, and it may be ended early for a newer one
    /// (Options::unproven_sends_max). Servers that answer anyone should use it.
    std::expected<ExchangeId, Refusal> send(Instant now, const Address& to, std::span<const std::byte> data,
                                            Instant deadline = never, Origin origin = Origin::own) {
        // Unverified peers must not occupy the places that our own sends need.
        if (context_.peers.all_held() && context_.peers.find(to) == none) receiver_.make_space_for_peer();
        return sender_.send(now, to, data, deadline, origin);
    }
    /// Ends a send with the outcome `cancelled`; the peer may still receive it. Returns false if it has ended already.
    bool cancel(ExchangeId id) { return sender_.cancel(id); }
    /// Sends `bytes` unmodified and once, for peers that do not use gtUDP. Returns false if the queue is full.
    bool send_raw(const Address& to, std::span<const std::byte> bytes);
    /// Refuses further sends with Refusal::not_ready. Sends in flight continue to their outcome.
    void close() { sender_.close(); }

    void handle(Instant now, const Datagram& in);
    /// The same for each datagram of a train, at less cost.
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() {
        if (auto arrived = poll_message()) return arrived;
        return poll_outcome();
    }
    /// The parts of poll_event(), for callers that want one of them: the next message or foreign datagram, and the next
    /// outcome.
    std::optional<Event> poll_message() { return inbox_.poll_event(); }
    std::optional<Event> poll_outcome();
    /// Takes the messages of a train at once, at most `count_max` > 0, instead of one by poll_event(). Returns nullopt
    /// if poll_event() would not return a message.
    std::optional<Messages> poll_messages(std::size_t count_max = limits::datagram_bytes_max) {
        return inbox_.poll_messages(count_max);
    }
    /// The length of the message that poll_messages() would return first; 0 if there is none.
    std::size_t next_message_bytes() { return inbox_.next_message_bytes(); }
    std::optional<Instant> poll_timeout() const;

    /// Payload bytes that further sends can use. Each send takes its size rounded up to ChunkPool::chunk_bytes.
    std::size_t free_payload_bytes() const { return sender_.free_payload_bytes(); }
    /// Sends without an outcome yet.
    std::uint32_t in_flight() const { return sender_.in_flight(); }
    /// Messages received whose RECV is repeated until an ACK arrives: their senders may not know yet of their arrival.
    std::uint32_t awaiting_acks() const { return receiver_.awaiting_acks(); }
    Counters counters() const;
    /// Smoothed round-trip time to `peer`; 0 if unknown.
    Duration rtt(const Address& peer) const;

  private:
    /// Whether a message of `bytes` can be queued for the application.
    bool has_room(std::size_t bytes) const {
        return context_.counts.delivered < context_.options.deliveries_max && inbox_.has_room(bytes);
    }
    void handle_segment(Instant now, Arrival& arrival, std::span<const std::byte> bytes);
    void on_foreign(const Address& source, std::span<const std::byte> bytes);
    void on_corrupt();
    std::optional<Transmit> poll_raw(std::span<std::byte> out);

    Context context_;
    Sender sender_;
    Receiver receiver_;
    Inbox inbox_;
    RecordQueue<Address> raw_;
};

}  // namespace ringpost::gtudp
