#pragma once

// What an Endpoint is told, what it answers, what it says, and what it counts.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"

namespace ringpost::devices {

/// Where the format's first program announces itself, with a TTL of 3, and takes connections.
inline const Address default_group = Address::v4(239, 255, 4, 3, 3'235);
inline constexpr std::uint16_t default_tcp_port = 4'112;

struct Options {
    std::string name;                           ///< passes check_name()
    Address group = default_group;              ///< IPv4; its port is where everybody listens for adverts
    std::optional<Address> group_v6;            ///< for the links that were added with an IPv6 address
    std::vector<Address> seeds;                 ///< adverts go to these, too; at most limits::devices_seeds_max
    std::uint16_t tcp_port = default_tcp_port;  ///< of everybody

    /// Between two adverts. Who is not heard for two periods is suspect, after five it is dropped.
    Duration period = 30 * second;
    Duration connect_timeout = 5 * second;  ///< for a connection to stand
    Duration name_timeout = 5 * second;     ///< then for its peer's name
    /// The least between two frames to a peer that may drop what it reads behind the first (README.md).
    Duration compatible_gap = 20 * millisecond;

    std::size_t queue_bytes = limits::devices_queue_bytes;  ///< what may wait for one slow peer
    std::uint32_t names_max = limits::devices_names_max;
    std::uint32_t streams_max = limits::streams_max;

    std::uint64_t seed = 0;  ///< of the spreading of answers and retries: drawn at random
    SipKey key;              ///< drawn at random, kept secret
    Instant start = 0;
};

/// What became of something to say to a peer.
enum class Sent : std::uint8_t {
    queued,         ///< it leaves in the order of the calls; it is lost when the connection ends first
    not_connected,  ///< also: closed, or no such name
    too_large,      ///< for this peer: limits::devices_frame_bytes_max, or ..compatible_frame_bytes_max
    queue_full,     ///< the peer is slow; Event::Kind::room says when there is room again
    cannot_carry,   ///< the text contains `:,:` or `/EOL`, or is not UTF-8
    forgotten,      ///< answer(): that question has been answered, or is too old
};

/// An ask under way, from ask() until its event.
struct AskId {
    std::uint32_t index = UINT32_MAX;
    std::uint32_t generation = 0;
    bool operator==(const AskId&) const = default;
};

/// Why an ask was not taken.
enum class AskRefusal : std::uint8_t {
    cannot_carry,
    full,  ///< limits::devices_asks_max or devices_asked_max are under way or not yet told
};

/// What one name had to say to an ask.
enum class Reply : std::uint8_t {
    waiting,  ///< never in an event
    answered,
    timed_out,
    not_connected,  ///< when asked, or its connection ended before the answer came
    too_large,      ///< the question, for this peer
    queue_full,     ///< the peer is slow
    no_room,        ///< it has answered, and limits::devices_answer_bytes_max are kept already
};

struct Answer {
    std::string name;
    Reply reply = Reply::waiting;
    std::string text;  ///< of `answered`, else empty: what the format's first program returns
};

/// A peer's question, until it is answered or forgotten.
struct QuestionId {
    std::uint64_t number = 0;
    bool operator==(const QuestionId&) const = default;
};

/// Why a connection is no more, or was never one.
enum class Cause : std::uint8_t {
    finished,   ///< the peer closed it in order
    mid_frame,  ///< the peer closed it within a frame
    reset,
    refused,
    unreachable,
    failed,  ///< the system refused it
    connect_timeout,
    name_timeout,   ///< the peer did not say its name
    bad_name,       ///< the first frame is no name
    own_name,       ///< the peer says it is us
    name_conflict,  ///< that name is connected already, from another address
    duplicate,      ///< another connection to the same peer took its place
    frame_too_long,
    bad_frame,  ///< an unknown tag, a bad key or text
    not_utf8,
    directory_full,
    overrun,  ///< the driver went on handing in bytes while told to pause
    goodbye,  ///< the peer goes away
    gone,     ///< the peer has not been heard for too long, or its name is somebody else's now
    closed,   ///< by close(), or not needed any more
};
inline constexpr std::size_t causes = static_cast<std::size_t>(Cause::closed) + 1;

enum class Presence : std::uint8_t {
    alive,
    suspect,  ///< its adverts are no longer heard, or its connection failed
};

/// A name in the directory, as of now.
struct Peer {
    std::string name;
    Address address;  ///< where its adverts come from
    Presence presence = Presence::alive;
    Instant heard_at = 0;
    bool connected = false;
    bool ours = false;                ///< connected, and it takes many frames in a write (README.md)
    std::optional<Cause> last_cause;  ///< of the newest connection, or attempt at one, that ended
};

/// Something for the application. Everything it points to is valid until the next call of the endpoint.
struct Event {
    enum class Kind : std::uint8_t {
        message,   ///< `name` says `text`
        question,  ///< `name` asks `text`: answer(question, ...), now or later
        answers,   ///< `ask` has ended: `answers`, in the order of the names asked
        // Changes of the directory:
        appeared,    ///< `name` at `address`
        suspect,     ///< `name` may be gone
        back,        ///< a suspect `name` is heard again
        gone,        ///< `name` is no longer at `address`
        conflict,    ///< somebody at `address` says to be `name`, which is known from elsewhere and stays so
        name_taken,  ///< somebody at `address` has our name
        // and of connections:
        connected,     ///< send() to `name` works from now on
        disconnected,  ///< no longer, for `cause`; `unsent` frames to it had not left
        room,          ///< send() to `name` said queue_full, and would take something now
        rejoin,        ///< a peer no longer hears us: the driver should join the multicast groups anew
    };
    Kind kind = Kind::message;
    Cause cause = Cause::closed;
    std::string_view name;
    std::string_view text;
    QuestionId question;
    AskId ask;
    std::span<const Answer> answers;
    Address address;
    std::size_t unsent = 0;
};

struct Counters {
    // Adverts.
    std::uint64_t hello_sent = 0;
    std::uint64_t alive_sent = 0;
    std::uint64_t adverts_unsent = 0;       ///< the sockets did not take them as fast as they became due
    std::uint64_t adverts_heard = 0;        ///< the sum of the next eight
    std::uint64_t adverts_taken = 0;        ///< of a peer in the directory, from its address
    std::uint64_t adverts_own = 0;          ///< our own, come back
    std::uint64_t adverts_limited = 0;      ///< too many from one address
    std::uint64_t adverts_bad = 0;          ///< AdvertError
    std::uint64_t adverts_conflicting = 0;  ///< of a known name, from an address on the same link
    std::uint64_t adverts_elsewhere = 0;    ///< of a known name, on another link or in the other family
    std::uint64_t adverts_name_taken = 0;   ///< our own name, from a foreign address
    std::uint64_t adverts_no_room = 0;      ///< the directory is full

    // Connections: connects + accepts == the sum of `ended` + those there are.
    std::uint64_t connects = 0;
    std::uint64_t accepts = 0;
    std::uint64_t accepts_limited = 0;          ///< refused: too many from one address
    std::uint64_t accepts_full = 0;             ///< refused: no room, or closed
    std::uint64_t connects_full = 0;            ///< put off: no room
    std::array<std::uint64_t, causes> ended{};  ///< by Cause

    // Frames.
    std::uint64_t messages_sent = 0;      ///< queued
    std::uint64_t messages_received = 0;  ///< taken by the application
    std::uint64_t questions_sent = 0;
    std::uint64_t questions_received = 0;
    std::uint64_t questions_forgotten = 0;  ///< not answered in time, or too many waited
    std::uint64_t answers_sent = 0;
    std::uint64_t answers_received = 0;
    std::uint64_t answers_late = 0;  ///< part of it: to a question that has ended, or was never asked
    std::uint64_t pings_sent = 0;
    std::uint64_t pings_received = 0;
    std::uint64_t refused_not_connected = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;
    std::uint64_t refused_cannot_carry = 0;
    std::uint64_t unsent = 0;  ///< frames queued for a connection that ended before they left

    std::uint64_t notices_dropped = 0;  ///< the application did not keep up with changes: peers() is the truth
};

}  // namespace ringpost::devices
