#pragma once

// Options, results and counters of an Endpoint.

#include <array>
#include <cstdint>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"
#include "codec/confirmed/frame.hpp"

namespace ringpost::confirmed {

/// The port on which other implementations always listen.
inline constexpr std::uint16_t default_port = 5'005;

/// Default time after which a send without an answer has timed out.
inline constexpr Duration default_timeout = 10 * second;

/// Where confirmations are sent, and what identifies a peer.
enum class Reply : std::uint8_t {
    /// To the port on which the peer listens, regardless of the source port of its message. Other implementations work
    /// this way, and their confirmations come from arbitrary ports, so a peer is identified by its IP address alone.
    to_port,
    /// To the source of the message. A peer is identified by address and port, so one host can run several. Each must
    /// send from the port it listens on, as this implementation does.
    to_source,
};

struct Options {
    Reply reply = Reply::to_port;
    SocketIndex socket = 0;  ///< on which messages are sent; a confirmation leaves from where its message arrived
    Address target{};        ///< default destination; Family::none: none yet
    std::uint16_t peer_port = default_port;               ///< to_port: the port of all peers except the target
    bool retarget = false;                                ///< `initialize` may replace an existing target
    std::size_t bytes_max = limits::confirmed_bytes_max;  ///< largest datagram sent; at most limits::datagram_bytes_max

    // Assumptions about the peers and the network; see endpoint.hpp.
    Duration answers_within = default_timeout;  ///< longest time from a message to its answer
    Duration copies_within = 0;                 ///< longest time from an answer to further copies of it

    // Table sizes must be powers of two.
    std::uint32_t sends_max = limits::confirmed_sends_max;  ///< sends whose outcome has not been polled
    std::uint32_t sends_per_peer_max = limits::confirmed_sends_per_peer_max;  ///< sends without an outcome
    std::uint32_t peers_max = limits::confirmed_peers_max;  ///< peers with queued messages or a possible answer
    std::uint32_t replies_max = limits::confirmed_replies_max;
    std::size_t event_bytes = limits::confirmed_event_bytes;

    SipKey key{};  ///< must be random and secret
    Instant start = 0;
};

/// Options of one send.
struct SendOptions {
    Status status = Status::none;        ///< ok and failed: a report, which is not confirmed
    Address to{};                        ///< Family::none: the default target
    Duration timeout = default_timeout;  ///< > 0; counted from the call, including the time in the queue
};

/// Identifies an accepted send; unique within an endpoint.
using SendNumber = std::uint64_t;

/// Why a send was refused. A refused send has no outcome.
enum class Refusal : std::uint8_t {
    not_utf8,
    no_target,   ///< no destination given, and no default target
    too_large,   ///< larger than Options::bytes_max
    queue_full,  ///< sends_max, or sends_per_peer_max for this peer, are queued
    peers_full,  ///< peers_max other peers are in use
};

struct Refused {
    Refusal reason = Refusal::no_target;
    std::size_t bytes = 0;  ///< size of the datagram; not_utf8: of the text
};

/// SendOptions an accepted send ended. `confirmed` means that the peer has the message; with any other outcome it may
/// or may not.
enum class Outcome : std::uint8_t {
    confirmed,
    failed,     ///< the peer has sent a failure report
    timed_out,  ///< no answer, or still queued: Event::was_sent distinguishes
    reported,   ///< a confirmation or failure report was sent; these are not confirmed
};

struct Counters {
    // Sending: taken == confirmed + failed + timed_out + reported + sends without an outcome yet.
    std::uint64_t taken = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t failed = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t timed_out_waiting = 0;  ///< part of timed_out: never sent
    std::uint64_t reported = 0;
    std::uint64_t refused_not_utf8 = 0;
    std::uint64_t refused_no_target = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;
    std::uint64_t refused_peers_full = 0;

    // Receiving: received == sum of malformed + neutral messages + answers.
    std::uint64_t received = 0;
    std::array<std::uint64_t, frame_errors> malformed{};  ///< dropped, by FrameError

    // Neutral messages == delivered + initialized + app_behind + replies_full.
    std::uint64_t delivered = 0;
    std::uint64_t initialized = 0;
    std::uint64_t app_behind = 0;    ///< no room for the event; answered with a failure report
    std::uint64_t replies_full = 0;  ///< not delivered: no room for the confirmation

    // Answers == confirmed + failed + answers_late + answers_again + answers_stray.
    std::uint64_t answers_late = 0;   ///< to a message that has timed out
    std::uint64_t answers_again = 0;  ///< copies received within copies_within of an answer
    std::uint64_t answers_stray = 0;  ///< no message was waiting for an answer
    std::uint64_t failures_lost = 0;  ///< late or stray failure reports without room for the event
    std::uint64_t replies_sent = 0;

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"taken", &Counters::taken},
            {"confirmed", &Counters::confirmed},
            {"failed", &Counters::failed},
            {"timed_out", &Counters::timed_out},
            {"timed_out_waiting", &Counters::timed_out_waiting},
            {"reported", &Counters::reported},
            {"refused_not_utf8", &Counters::refused_not_utf8},
            {"refused_no_target", &Counters::refused_no_target},
            {"refused_too_large", &Counters::refused_too_large},
            {"refused_queue_full", &Counters::refused_queue_full},
            {"refused_peers_full", &Counters::refused_peers_full},
            {"received", &Counters::received},
            {"delivered", &Counters::delivered},
            {"initialized", &Counters::initialized},
            {"app_behind", &Counters::app_behind},
            {"replies_full", &Counters::replies_full},
            {"answers_late", &Counters::answers_late},
            {"answers_again", &Counters::answers_again},
            {"answers_stray", &Counters::answers_stray},
            {"failures_lost", &Counters::failures_lost},
            {"replies_sent", &Counters::replies_sent},
        });
    }
};
static_assert(lists_every_counter<Counters>(sizeof(Counters::malformed)));

}  // namespace ringpost::confirmed
