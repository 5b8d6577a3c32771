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

/// The sending half: a queue for each peer, of which one message at a time waits for its answer. Mechanism in the .cpp.
class Sender {
  public:
    /// The options, the events and the counts stay the endpoint's.
    Sender(const Options& options, Events& events, Counters& counts);

    /// `peer` is who answers (Endpoint::peer_of), `to` where the datagram goes.
    std::expected<SendNumber, Refused> send(Instant now, const Address& peer, const Address& to, std::string datagram,
                                            bool neutral, Duration timeout);
    /// A confirmation or failure report of `peer`: what has become of it.
    enum class Answered : std::uint8_t {
        ended,  ///< a send, whose outcome has taken the message
        late,   ///< the send it is for had timed out
        again,  ///< the one before it has been taken
        stray,  ///< there was nothing to answer
    };
    Answered on_answer(Instant now, const Address& peer, Frame& answer);

    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Instant> poll_timeout() const { return timers_.next(); }

    /// Sends that have no outcome yet.
    std::uint32_t waiting() const { return static_cast<std::uint32_t>(sends_.size() - free_sends_.size()); }
    /// Peers that are known: something waits for them, or they may still answer.
    std::uint32_t peers() const { return table_.size(); }

  private:
    using SendIndex = std::uint32_t;  // also of its timer
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
        turn,         // is in ready_: the first of its queue may leave
        answer,       // the first of its queue has left
        late_answer,  // the one that left has timed out; until the timer its answer may still come
        copies,       // answered; until the timer the same may come again
    };
    struct Peer {
        Address address;
        SendIndex first = none, last = none;
        std::uint32_t sends = 0;
        Instant sent_at = 0;
        Wait wait = Wait::turn;
    };

    TimerIndex timer_of(PeerIndex peer) const { return options_.sends_max + peer; }
    std::unexpected<Refused> refuse(Refusal reason, std::size_t bytes);
    PeerIndex add_peer(const Address& address);
    void append(PeerIndex peer, SendIndex send);
    void end(SendIndex send, Outcome outcome, Value answer, bool left);
    void on_deadline(Instant now, SendIndex send);
    void pause(Instant now, PeerIndex peer, Wait wait, Instant until);
    void go_on(PeerIndex peer);

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
