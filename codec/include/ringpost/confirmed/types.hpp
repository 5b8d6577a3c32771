#pragma once

// What a confirmed::Messenger (<ringpost/confirmed.hpp>) takes and returns: values, options, refusals, outcomes,
// events, counters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/export.hpp>
#include <ringpost/limits.hpp>
#include <ringpost/time.hpp>

namespace ringpost::confirmed {

enum class FrameError : std::uint8_t {
    not_utf8,
    not_json,        ///< also for a number outside the range of a double or an invalid escape
    trailing_bytes,  ///< anything but white space behind the object
    not_an_object,
    too_deep,
    duplicate_member,  ///< in any object, including those in the message
    unknown_member,    ///< other than the two
    missing_member,
    wrong_status,  ///< not null, true or false
};
inline constexpr std::size_t frame_errors = 9;

/// Description of the error: `not UTF-8`, `trailing bytes`, ...
const char* name_of(FrameError error);

/// The content of a message: any JSON value. Values compare equal if their texts do, so 1 differs from 1.0.
class RINGPOST_API Value {
  public:
    /// An empty string.
    Value() = default;

    /// A string; nullopt if `text` is not UTF-8.
    static std::optional<Value> of_text(std::string_view text);
    /// Any value, given as JSON text.
    static std::expected<Value, FrameError> of_json(std::string_view json);

    bool is_text() const { return is_text_; }
    /// The characters of a string, or the JSON text of any other value, without spaces.
    const std::string& text() const { return text_; }
    /// The value as JSON text.
    std::string json() const;

    bool operator==(const Value&) const = default;

  private:
    friend class FrameReader;
    std::string text_;
    bool is_text_ = true;
};

/// Value of the member `status`.
enum class Status : std::uint8_t {
    none,    ///< null: a neutral message, to be confirmed
    ok,      ///< true: a confirmation
    failed,  ///< false: a failure report
};

/// Messages with a special meaning.
inline constexpr std::string_view confirmed_text = "confirmed";
inline constexpr std::string_view initialize_text = "initialize";
inline constexpr std::string_view initialized_text = "initialization complete";

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

/// Options of the protocol.
struct ProtocolOptions {
    Reply reply = Reply::to_port;
    Address target{};                        ///< default destination; Family::none: none yet
    std::uint16_t peer_port = default_port;  ///< to_port: the port of all peers except the target
    /// An answer from an address to which no message is in flight counts as the target's. The format's original program
    /// answers from another address than its own where both ends run on one host. Anyone can then confirm or fail a
    /// message to the target.
    bool confirm_from_any = false;
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
    too_large,   ///< larger than ProtocolOptions::bytes_max
    queue_full,  ///< sends_max, or sends_per_peer_max for this peer, are queued
    peers_full,  ///< peers_max other peers are in use
    bad_peer,    ///< no port, or an address of another family than the socket's
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

/// An event for the application.
struct Event {
    enum class Kind : std::uint8_t {
        outcome,  ///< the end of one of our sends
        message,  ///< a neutral message from a peer, or a failure report that matched no send
        target,   ///< `initialize` has set the endpoint's target
    };
    Kind kind = Kind::message;
    Address peer{};  ///< outcome: the destination; message: the source; target: the new target
    /// message: its content; outcome confirmed or failed: the peer's answer
    Value message{};  // NOLINT(readability-redundant-member-init): GCC warns if designated initializers omit it
    Status status = Status::none;  ///< message: none or failed

    SendNumber number = 0;  ///< outcome: the send that ended
    Outcome outcome = Outcome::confirmed;
    bool was_sent = true;  ///< outcome timed_out: whether the message was sent
    /// outcome other than confirmed: the errno with which the kernel last refused a datagram to this peer since the
    /// last message from it; 0: none.
    int error = 0;
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
    std::uint64_t refused_bad_peer = 0;

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
            {"refused_bad_peer", &Counters::refused_bad_peer},
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
