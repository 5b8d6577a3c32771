#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/datagram.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/confirmed/events.hpp"

namespace ringpost::confirmed {

/// The sending half of an Endpoint: a queue per peer, of which one message at a time awaits its answer. See the .cpp.
class Sender {
  public:
    /// All arguments belong to the endpoint and must outlive this object.
    Sender(const Options& options, Events& events, Counters& counts);

    /// `peer` identifies who answers (Endpoint::peer_of), `to` is the destination of the datagram.
    std::expected<SendNumber, Refused> send(Instant now, const Address& peer, const Address& to, std::string datagram,
                                            bool neutral, Duration timeout);
    /// The effect of a confirmation or failure report from `peer`.
    enum class Answered : std::uint8_t {
        ended,       ///< ended a send; its message has been moved to the outcome
        late,        ///< for a send that has timed out
        repeated,    ///< a copy of the previous answer
        unexpected,  ///< no send to this peer can be answered
    };
    Answered on_answer(Instant now, const Address& peer, Frame& answer);

    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Instant> poll_timeout() const { return timers_.next(); }

    /// Sends without an outcome yet.
    std::uint32_t waiting() const { return static_cast<std::uint32_t>(sends_.size() - free_sends_.size()); }
    /// Peers with queued messages, or whose answer may still arrive.
    std::uint32_t peers() const { return table_.size(); }

  private:
    using SendIndex = std::uint32_t;  // also the index of its timer
    using PeerIndex = std::uint32_t;  // its timer follows those of all sends
    static constexpr std::uint32_t none = UINT32_MAX;

    struct Send {
        SendNumber number = 0;
        Address to;
        std::string datagram;
        PeerIndex peer = none;
        SendIndex earlier = none, later = none;  // in the peer's queue
        bool neutral = true;
    };

    enum class Wait : std::uint8_t {
        ready,        // in ready_: the first send of the queue may be sent
        answer,       // the first send of the queue is in flight
        late_answer,  // the send in flight has timed out; its answer may arrive until the timer expires
        copies,       // answered; copies of the answer may arrive until the timer expires
    };
    struct Peer {
        Address address;
        SendIndex first = none, last = none;
        std::uint32_t sends = 0;
        Instant sent_at = 0;
        Wait wait = Wait::ready;
    };

    TimerIndex timer_of(PeerIndex peer) const { return options_.sends_max + peer; }
    std::unexpected<Refused> refuse(Refusal reason, std::size_t bytes);
    PeerIndex add_peer(const Address& address);
    void append(PeerIndex peer, SendIndex send);
    void end(SendIndex send, Outcome outcome, Value answer, bool was_sent);
    void on_deadline(Instant now, SendIndex send);
    void hold_until(Instant now, PeerIndex peer, Wait wait, Instant until);
    void resume(PeerIndex peer);

    const Options& options_;
    Events& events_;
    Counters& counts_;
    std::vector<Send> sends_;
    std::vector<Peer> peers_;
    std::vector<std::uint32_t> free_sends_, free_peers_;
    LruTable<Address, PeerIndex> table_;
    RingQueue<PeerIndex> ready_;
    TimerWheel timers_;
};

}  // namespace ringpost::confirmed
