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

/// Confirmed messages: both roles, on socket 0. The five calls are those of codec/include/ringpost/datagram.hpp.
///
/// Every send that is taken ends in exactly one outcome, which is an event. A neutral message is confirmed when it has
/// become an event here. Neutral messages to one peer leave in the order of the sends, each when the one before has its
/// outcome.
///
/// The format has no identities, and three things follow. A message is sent once and never again: a receiver cannot
/// tell a repetition from a second message of the same words, and hands both to its user. For the same reason what the
/// network itself doubles arrives twice. And an answer does not say what it answers: it is taken for the one message
/// that waits for an answer of that peer, or dropped. So that this is the right one, no message leaves for a peer while
/// an earlier one may still be answered, as far as the options know:
///
/// * The peer and the network between answer within Options::answers_within or not at all. A message that times out
///   sooner keeps the next one back until then, or until the late answer has come.
/// * Copies of an answer, or of a message that is then answered twice, come within Options::copies_within of the first
///   answer. This is 0: UDP hardly ever doubles a datagram, and any wait here is added to every message.
/// * Nobody else answers from the peer's address, and it says nothing that looks like an answer of its own accord.
/// * An endpoint that takes the port of one that has just gone gets its answers: wait answers_within before a restart.
class Endpoint {
  public:
    using Event = confirmed::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // its half refers to it
    Endpoint& operator=(const Endpoint&) = delete;

    /// Takes a copy of `message`. The message `initialize` asks a peer without a target to take us for it.
    std::expected<SendNumber, Refused> send(Instant now, const Value& message, const How& how = {});
    /// The same of a string.
    std::expected<SendNumber, Refused> send(Instant now, std::string_view text, const How& how = {});

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now) { sender_.handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return events_.pop(); }
    std::optional<Instant> poll_timeout() const { return sender_.poll_timeout(); }

    /// For callers that wait for one thing: the next message (what stood before it, a `target`, is forgotten); that
    /// send's outcome. Everything else stays for poll_event().
    std::optional<Event> take_message() { return events_.pop_message(); }
    std::optional<Event> take_outcome(SendNumber number) { return events_.pop_outcome(number); }

    /// Family::none while there is none.
    const Address& target() const { return options_.target; }
    /// Sends that have no outcome yet.
    std::uint32_t in_flight() const { return sender_.waiting(); }
    /// Peers to whom something waits to be sent, or who may still answer.
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
    void take_message(const Datagram& in, Frame frame);
    void take_answer(Instant now, const Address& source, Frame frame);
    bool take_initialize(const Address& from, const LocalPath& path);

    Options options_;
    Counters counts_;
    Events events_;
    Sender sender_;
    RingQueue<Outgoing> replies_;
};

}  // namespace ringpost::confirmed
