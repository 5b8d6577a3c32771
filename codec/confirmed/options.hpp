#pragma once

// What an Endpoint is told, what it answers, and what it counts.

#include <array>
#include <cstdint>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"
#include "codec/confirmed/frame.hpp"

namespace ringpost::confirmed {

/// The port on which peers of other make listen, always.
inline constexpr std::uint16_t default_port = 5'005;

/// After so long without an answer a send has timed out, unless told otherwise.
inline constexpr Duration default_timeout = 10 * second;

/// Where a confirmation goes, which also says who a peer is.
enum class Reply : std::uint8_t {
    /// To the port on which the peer listens, whatever port its message came from. So do peers of other make, whose
    /// confirmations therefore come from ports that say nothing: a peer is an IP address.
    to_port,
    /// To the address and port the message came from. A peer is an address and a port, so that there may be many on one
    /// host; each must send from where it listens, as ours do.
    to_source,
};

struct Options {
    Reply reply = Reply::to_port;
    SocketIndex socket = 0;  ///< that messages leave by; a confirmation leaves from where its message arrived
    Address target{};        ///< whom to send to when nobody is named; Family::none: none yet
    std::uint16_t peer_port = default_port;  ///< to_port: where all peers listen but the target, which has its own
    bool retarget = false;                   ///< `initialize` also gives another target to one that has one
    std::size_t bytes_max = limits::confirmed_bytes_max;  ///< of a datagram sent; at most limits::datagram_bytes_max

    // What the endpoint believes about its peers and the network between: see endpoint.hpp.
    Duration answers_within = default_timeout;  ///< an answer that comes at all comes so soon after its message left
    Duration copies_within = 0;                 ///< further copies of an answer come so soon after the first

    // Powers of two where a table is meant (checked).
    std::uint32_t sends_max = limits::confirmed_sends_max;  ///< whose outcome the application has not been told
    std::uint32_t sends_per_peer_max = limits::confirmed_sends_per_peer_max;  ///< that have no outcome
    std::uint32_t peers_max = limits::confirmed_peers_max;  ///< for whom a message waits, or who may still answer one
    std::uint32_t replies_max = limits::confirmed_replies_max;
    std::size_t event_bytes = limits::confirmed_event_bytes;

    SipKey key{};  ///< drawn at random, kept secret
    Instant start = 0;
};

/// How a message is sent.
struct How {
    Status status = Status::none;        ///< ok and failed: a report, which nobody confirms
    Address to{};                        ///< Family::none: the target
    Duration timeout = default_timeout;  ///< > 0; from now on, also while others are before it
};

/// A send that was taken, different from every other of the same endpoint.
using SendNumber = std::uint64_t;

/// Why a send was not taken. It will never leave, and has no outcome.
enum class Refusal : std::uint8_t {
    not_utf8,
    no_target,   ///< nobody was named, and there is no target
    too_large,   ///< more than Options::bytes_max
    queue_full,  ///< sends_max, or sends_per_peer_max to this peer, wait
    peers_full,  ///< something waits for peers_max other peers
};

struct Refused {
    Refusal reason = Refusal::no_target;
    std::size_t bytes = 0;  ///< of the datagram that it would have been; not_utf8: of the text
};

/// How a send that was taken has ended. Only `confirmed` says that the peer has it, the others do not say that it has
/// not.
enum class Outcome : std::uint8_t {
    confirmed,
    failed,     ///< the peer has sent a failure report
    timed_out,  ///< without an answer, or without its turn to leave: Event::left tells
    reported,   ///< a confirmation or a failure report has left; such are not confirmed
};

struct Counters {
    // Sending: taken == confirmed + failed + timed_out + reported + those without an outcome.
    std::uint64_t taken = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t failed = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t timed_out_waiting = 0;  ///< part of timed_out: never left
    std::uint64_t reported = 0;
    std::uint64_t refused_not_utf8 = 0;
    std::uint64_t refused_no_target = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;
    std::uint64_t refused_peers_full = 0;

    // Receiving: received == all malformed + neutral messages + answers.
    std::uint64_t received = 0;
    std::array<std::uint64_t, frame_errors> malformed{};  ///< by FrameError; dropped

    // Neutral messages: delivered + initialized + app_behind + replies_full.
    std::uint64_t delivered = 0;
    std::uint64_t initialized = 0;
    std::uint64_t app_behind = 0;    ///< no room for the event; answered by a failure report
    std::uint64_t replies_full = 0;  ///< no room for the confirmation, so not delivered either

    // Answers: confirmed + failed + the next three.
    std::uint64_t answers_late = 0;   ///< to a message that had timed out
    std::uint64_t answers_again = 0;  ///< within copies_within of the one before
    std::uint64_t answers_stray = 0;  ///< nothing waited for one
    std::uint64_t failures_lost = 0;  ///< failure reports among the late and stray for whose event there was no room
    std::uint64_t replies_sent = 0;
};

}  // namespace ringpost::confirmed
