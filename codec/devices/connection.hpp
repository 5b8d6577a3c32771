#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>
#include "codec/devices/byte_queue.hpp"
#include "codec/devices/directory.hpp"
#include "codec/devices/frame.hpp"
#include "codec/devices/options.hpp"
#include "codec/devices/questions.hpp"

namespace ringpost::devices {

class Reach;

/// Idle connections free their buffers after this time.
inline constexpr Duration free_after = 10 * second;

/// One stream to one peer: its state, the bytes queued in each direction, and when writing is allowed. The Switchboard
/// decides which peers may connect and handles their frames.
struct Connection {
    enum class State : std::uint8_t {
        unused,
        connecting,     ///< from the request until the stream is established
        awaiting_name,  ///< established; the peer has not sent its name
        open,
        closing,  ///< sends the queued frames, then a goodbye
        ended,    ///< the stream has ended; frames received before may still be delivered
    };

    /// Queues the greeting of an established stream: our name and a ping, by which a ringpost peer recognises us
    /// (README.md).
    void greet(std::string_view own_name);

    /// Queues a frame if its size is allowed and the queue has space.
    Sent push(const Frame& frame, std::size_t queue_bytes_max);
    /// Queues a frame without text, regardless of the limit.
    void push_word(FrameKind kind);

    /// Whether a write is allowed now.
    bool writable(Instant now) const {
        return established && !writing && !out.empty() && (is_ringpost || now >= gap_ends_at || !greeting_written) &&
               state != State::ended;
    }
    /// Moves the next write to the front of `to` and returns its length: everything queued for a ringpost peer,
    /// otherwise one frame.
    std::size_t write(std::span<std::byte> to);
    void on_written(Instant now, Duration compatible_gap);
    /// The peer has answered the question with this key. Returns true if that ends a gap.
    bool on_answered(std::uint64_t key);

    /// Whether frames from the peer are still accepted.
    bool reads() const {
        return state == State::awaiting_name || state == State::open || state == State::closing ||
               state == State::ended;
    }
    /// Queued frames.
    std::size_t queued_frames() const;

    /// The next time to act on this connection: its deadline, or the end of a gap if a frame is queued.
    Instant due_at() const;

    State state = State::unused;
    bool dialled = false;           ///< opened by us
    Reach* payer = nullptr;         ///< of an attempt that the adverts of its address pay for
    bool established = false;       ///< established in the driver
    bool is_ringpost = false;       ///< the peer runs ringpost: no gaps, no small frame limit
    bool greeting_written = false;  ///< our greeting has been written
    bool fresh = true;              ///< nothing has been received but the name
    bool writing = false;
    bool read_confirmed = false;  ///< the last write is known to have been read; it needs no gap
    bool paused = false;          ///< the driver has been or will be asked to pause the peer
    bool was_full = false;        ///< a push returned queue_full, and Event::Kind::room has not been reported
    bool in_events = false;       ///< queued in Events
    bool has_asked = false;       ///< the peer has asked a question
    bool active = false;          ///< in the Switchboard's queue of connections with requests for the driver
    bool wants_connect = false, wants_close = false, wants_pause = false, wants_resume = false;
    NameIndex device = no_name;
    std::uint64_t serial = 0;  ///< unique among all connections, past and present
    Address peer;
    std::string name;  ///< the peer's
    Instant deadline = never;
    Instant started_at = 0;  ///< when it was requested or accepted
    Instant opened_at = 0;
    Instant bytes_at = 0;  ///< when the last bytes were received
    Instant pinged_at = -never;
    Instant gap_ends_at = 0;
    std::size_t greeting_bytes = 0;
    std::optional<std::uint64_t> last_question_key;   ///< its key, if the last frame written is a question
    std::optional<Frame> head;                        ///< the next frame, if it is for the application
    std::size_t unread_bytes = 0, partial_bytes = 0;  ///< of `in`, as counted in Context
    Instant partial_since = 0;                        ///< when that frame began, if partial_bytes > 0
    Splitter in;
    ByteQueue out;
    Keys keys;
};

}  // namespace ringpost::devices
