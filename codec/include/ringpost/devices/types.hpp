#pragma once

// What a devices::Node (<ringpost/devices.hpp>) takes and returns: options, results, events, counters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/limits.hpp>
#include <ringpost/time.hpp>

namespace ringpost::devices {

/// Multicast group of the format's original program, which sends with a TTL of 3, and the TCP port it listens on.
inline const Address default_group = Address::v4(239, 255, 4, 3, 3'235);
inline constexpr std::uint16_t default_tcp_port = 4'112;

/// Options of the protocol.
struct ProtocolOptions {
    std::string name{};                         ///< must pass check_name()
    Address group = default_group;              ///< IPv4; all devices listen on its port for adverts
    std::optional<Address> group_v6{};          ///< for links added with an IPv6 address
    std::vector<Address> seeds{};               ///< additional unicast targets of adverts; at most
                                                ///< limits::devices_seeds_max
    std::uint16_t tcp_port = default_tcp_port;  ///< of all devices

    /// Advert interval. A device is suspect after two periods without an advert and removed after five.
    Duration period = 30 * second;
    Duration connect_timeout = 5 * second;  ///< until a connection is established
    Duration name_timeout = 5 * second;     ///< from then until the peer's name is received
    /// Minimum time between two frames to a peer that may discard what it reads behind the first (README.md).
    Duration compatible_gap = 20 * millisecond;

    std::size_t queue_bytes = limits::devices_queue_bytes;  ///< queued for one peer
    std::uint32_t names_max = limits::devices_names_max;
    std::uint32_t streams_max = limits::streams_max;
};

/// Result of a send.
enum class Sent : std::uint8_t {
    queued,         ///< sent in call order; lost if the connection ends first
    not_connected,  ///< no connection, closed, or unknown name
    too_large,      ///< for this peer: limits::devices_frame_bytes_max, or devices_compatible_frame_bytes_max
    queue_full,     ///< the peer is slow; Event::Kind::room reports when to retry
    cannot_carry,   ///< the text contains `:,:` or `/EOL`, or is not UTF-8
    expired,        ///< answer(): the question has been answered or has expired
};

/// Identifies an ask from ask() until its event.
struct AskId {
    std::uint32_t index = UINT32_MAX;
    std::uint32_t generation = 0;
    bool operator==(const AskId&) const = default;
};

/// Why an ask was refused.
enum class AskRefusal : std::uint8_t {
    cannot_carry,
    full,  ///< limits::devices_asks_max or devices_asked_max are in progress or unreported
};

/// Result of an ask for one name.
enum class Reply : std::uint8_t {
    waiting,  ///< internal; never in an event
    answered,
    timed_out,
    not_connected,  ///< when asked, or the connection ended before the answer
    too_large,      ///< the question exceeds this peer's limit
    queue_full,     ///< the peer is slow
    no_room,        ///< answered, but limits::devices_answer_bytes_max are stored already
};

struct Answer {
    std::string name;
    Reply reply = Reply::waiting;
    std::string text;  ///< of `answered`, else empty, as in the format's original program
};

/// Identifies a peer's question until it is answered or expires.
struct QuestionId {
    std::uint64_t number = 0;
    bool operator==(const QuestionId&) const = default;
};

/// Why a connection ended or could not be established.
enum class Cause : std::uint8_t {
    finished,   ///< the peer closed in order
    mid_frame,  ///< the peer closed inside a frame
    reset,
    refused,
    unreachable,
    failed,  ///< a local error
    connect_timeout,
    name_timeout,   ///< the peer did not send its name
    bad_name,       ///< the first frame is not a valid name
    own_name,       ///< the peer uses our name
    name_conflict,  ///< the name is already connected from another address
    duplicate,      ///< replaced by another connection to the same peer
    frame_too_long,
    frame_too_slow,  ///< its end had not arrived when others needed the memory
    bad_frame,       ///< unknown tag, invalid key or text
    not_utf8,
    directory_full,
    overrun,  ///< the driver passed bytes although asked to pause
    goodbye,  ///< the peer is shutting down
    gone,     ///< the device is gone, or its name has moved to another address
    closed,   ///< by close(), or no longer needed
};
inline constexpr std::size_t causes = static_cast<std::size_t>(Cause::closed) + 1;

enum class Presence : std::uint8_t {
    alive,
    suspect,  ///< adverts are missing, or the connection failed
};

/// A name in the directory at the time of the call.
struct Peer {
    std::string name;
    Address address;  ///< source of its adverts
    Presence presence = Presence::alive;
    Instant announced_at = 0;
    bool connected = false;
    bool is_ringpost = false;         ///< connected, and accepts many frames per write (README.md)
    std::optional<Cause> last_cause;  ///< how the latest connection or attempt ended
};

/// An event for the application. Views are valid until the next call of the endpoint.
struct Event {
    enum class Kind : std::uint8_t {
        message,   ///< `name` sent `text`
        question,  ///< `name` at `address` asks `text`; reply with answer(question, ...), now or later
        answers,   ///< `ask` has ended; `answers` are in the order of the names asked
        // Changes of the directory:
        appeared,    ///< `name` at `address`
        suspect,     ///< `name` may be gone
        back,        ///< `name` was suspect and has announced itself again
        gone,        ///< `name` is no longer at `address`
        conflict,    ///< `address` claims `name`, which is known and remains at another address
        name_taken,  ///< another device at `address` uses our name
        // Changes of connections:
        connected,     ///< send() to `name` is possible from now on
        disconnected,  ///< the connection to `name` ended for `cause`; `unsent` frames were lost
        room,          ///< send() to `name` returned queue_full, and has space again
        rejoin,        ///< a peer no longer receives our adverts; the driver should rejoin the multicast groups
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
    std::uint64_t adverts_unsent = 0;       ///< the queue was full: the sockets cannot keep up
    std::uint64_t adverts_heard = 0;        ///< received; the sum of the next eight
    std::uint64_t adverts_taken = 0;        ///< accepted by the directory
    std::uint64_t adverts_own = 0;          ///< our own, looped back
    std::uint64_t adverts_limited = 0;      ///< rate limit of the source address exceeded
    std::uint64_t adverts_bad = 0;          ///< malformed; see AdvertError
    std::uint64_t adverts_conflicting = 0;  ///< for a known name, from another address on the same link
    std::uint64_t adverts_elsewhere = 0;    ///< for a known name, on another link or in the other family
    std::uint64_t adverts_name_taken = 0;   ///< for our own name, from a foreign address
    std::uint64_t adverts_no_room = 0;      ///< the directory is full of connected devices
    std::uint64_t names_evicted = 0;        ///< not connected, and made room for a new name

    // Connections: connects + accepts == sum of `ended` + open connections.
    std::uint64_t connects = 0;
    std::uint64_t accepts = 0;
    std::uint64_t accepts_limited = 0;          ///< refused: too many from one address
    std::uint64_t accepts_full = 0;             ///< refused: no room for its network, or the endpoint is closed
    std::uint64_t connects_full = 0;            ///< postponed: no room for its network
    std::uint64_t connects_waited = 0;          ///< postponed: the address did not answer, or is being tried
    std::uint64_t connects_unpaid = 0;          ///< postponed until the address has sent more adverts (README.md)
    std::uint64_t hellos_unpaid = 0;            ///< unicast hellos, likewise
    std::array<std::uint64_t, causes> ended{};  ///< by Cause

    // Frames.
    std::uint64_t messages_sent = 0;      ///< queued
    std::uint64_t messages_received = 0;  ///< delivered to the application
    std::uint64_t questions_sent = 0;
    std::uint64_t questions_received = 0;
    std::uint64_t questions_forgotten = 0;  ///< not answered within a minute, or before the asker was gone
    std::uint64_t questions_no_room = 0;    ///< dropped: too many of this host, or of all, await their answers
    std::uint64_t answers_sent = 0;
    std::uint64_t answers_received = 0;
    std::uint64_t answers_late = 0;  ///< part of answers_received: the question has ended or was never asked
    std::uint64_t pings_sent = 0;
    std::uint64_t pings_received = 0;
    std::uint64_t refused_not_connected = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;
    std::uint64_t refused_cannot_carry = 0;
    std::uint64_t unsent = 0;  ///< frames still queued when their connection ended

    std::uint64_t notices_dropped = 0;  ///< the application is behind; peers() has the current state

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"hello_sent", &Counters::hello_sent},
            {"alive_sent", &Counters::alive_sent},
            {"adverts_unsent", &Counters::adverts_unsent},
            {"adverts_heard", &Counters::adverts_heard},
            {"adverts_taken", &Counters::adverts_taken},
            {"adverts_own", &Counters::adverts_own},
            {"adverts_limited", &Counters::adverts_limited},
            {"adverts_bad", &Counters::adverts_bad},
            {"adverts_conflicting", &Counters::adverts_conflicting},
            {"adverts_elsewhere", &Counters::adverts_elsewhere},
            {"adverts_name_taken", &Counters::adverts_name_taken},
            {"adverts_no_room", &Counters::adverts_no_room},
            {"names_evicted", &Counters::names_evicted},
            {"connects", &Counters::connects},
            {"accepts", &Counters::accepts},
            {"accepts_limited", &Counters::accepts_limited},
            {"accepts_full", &Counters::accepts_full},
            {"connects_full", &Counters::connects_full},
            {"connects_waited", &Counters::connects_waited},
            {"connects_unpaid", &Counters::connects_unpaid},
            {"hellos_unpaid", &Counters::hellos_unpaid},
            {"messages_sent", &Counters::messages_sent},
            {"messages_received", &Counters::messages_received},
            {"questions_sent", &Counters::questions_sent},
            {"questions_received", &Counters::questions_received},
            {"questions_forgotten", &Counters::questions_forgotten},
            {"questions_no_room", &Counters::questions_no_room},
            {"answers_sent", &Counters::answers_sent},
            {"answers_received", &Counters::answers_received},
            {"answers_late", &Counters::answers_late},
            {"pings_sent", &Counters::pings_sent},
            {"pings_received", &Counters::pings_received},
            {"refused_not_connected", &Counters::refused_not_connected},
            {"refused_too_large", &Counters::refused_too_large},
            {"refused_queue_full", &Counters::refused_queue_full},
            {"refused_cannot_carry", &Counters::refused_cannot_carry},
            {"unsent", &Counters::unsent},
            {"notices_dropped", &Counters::notices_dropped},
        });
    }
};
static_assert(lists_every_counter<Counters>(sizeof(Counters::ended)));

}  // namespace ringpost::devices
