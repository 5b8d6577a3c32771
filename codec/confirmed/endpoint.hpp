#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/confirmed/events.hpp"
#include "codec/confirmed/options.hpp"
#include "codec/confirmed/sender.hpp"

namespace ringpost::confirmed {

/// The confirmed-message protocol: sends and receives. The five calls are specified in
/// codec/include/ringpost/endpoint.hpp.
///
/// Every accepted send ends with exactly one outcome event. A neutral message is confirmed to its sender when it has
/// become an event here. Neutral messages to one peer are sent in order, each after the outcome of the previous one.
///
/// The format has no message identities, which has three consequences. Messages are never retransmitted, because the
/// receiver cannot distinguish a retransmission from a second message with the same text and would deliver both.
/// Datagrams duplicated by the network are delivered twice for the same reason. And an answer does not identify the
/// message it belongs to: it is matched with the one message in flight to that peer, or dropped. To make this match
/// correct, no message is sent to a peer while an earlier one may still be answered. This relies on the following
/// assumptions:
///
/// * The peer and the network deliver an answer within Options::answers_within or never. If a message times out sooner,
///   the next one is held back until then, or until the late answer arrives.
/// * Copies of an answer, or second answers to a duplicated message, arrive within Options::copies_within of the first
///   answer. The default is 0: UDP rarely duplicates datagrams, and any wait here delays every message.
/// * Nothing else answers from the peer's address, and the peer sends no unsolicited answers.
/// * A process that reuses the port of another receives that one's answers: wait answers_within before a restart.
class Endpoint {
  public:
    using Event = confirmed::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // sender_ holds references to other members
    Endpoint& operator=(const Endpoint&) = delete;

    /// Queues a copy of `message`. The message `initialize` asks a peer without a target to make us its target.
    std::expected<SendNumber, Refused> send(Instant now, const Value& message, const SendOptions& options = {});
    /// Sends a string.
    std::expected<SendNumber, Refused> send(Instant now, std::string_view text, const SendOptions& options = {});

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now) { sender_.handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return events_.pop(); }
    std::optional<Instant> poll_timeout() const { return sender_.poll_timeout(); }

    /// For callers that wait for one kind of event: the next message (dropping any `target` event before it), or the
    /// outcome of one send. All other events remain for poll_event().
    std::optional<Event> take_message() { return events_.pop_message(); }
    std::optional<Event> take_outcome(SendNumber number) { return events_.pop_outcome(number); }
    /// The parts of poll_event(): the oldest outcome, and the oldest other event.
    std::optional<Event> take_outcome() { return events_.outcomes() > 0 ? events_.pop() : std::nullopt; }
    std::optional<Event> take_other() { return events_.pop_other(); }

    /// Family::none if there is none.
    const Address& target() const { return options_.target; }
    /// Sends without an outcome yet.
    std::uint32_t in_flight() const { return sender_.waiting(); }
    /// Peers with queued messages, or whose answer may still arrive.
    std::uint32_t peers() const { return sender_.peers(); }
    const Counters& counters() const { return counts_; }

  private:
    enum class Answer : std::uint8_t { confirmed, initialized, behind };
    struct Outgoing {
        Address to;
        LocalPath path;
        Answer answer;
    };

    Address reply_address(const Address& source) const;
    Address peer_of(const Address& address) const;
    void on_message(const Datagram& in, Frame frame);
    void on_answer(Instant now, const Address& source, Frame frame);
    bool on_initialize(const Address& from, const LocalPath& path);

    Options options_;
    Counters counts_;
    Events events_;
    Sender sender_;
    RingQueue<Outgoing> replies_;
};

}  // namespace ringpost::confirmed
