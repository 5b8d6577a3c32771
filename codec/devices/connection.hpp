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

/// An idle connection gives its memory back after so long.
inline constexpr Duration rest_after = 10 * second;

/// One stream to one peer: where it stands, the bytes that wait in it each way, and when something may be written. Who
/// the peer may be and what its frames do is the Switchboard's business.
struct Connection {
    enum class State : std::uint8_t {
        unused,
        connecting,  ///< asked for, until it stands
        naming,      ///< stands, until the peer has said its name
        open,
        leaving,  ///< what is queued leaves, then the goodbye
        ended,    ///< the stream is no more for us; frames that came before may still be told
    };

    /// Stands: greets the peer, with our name and what it tells ours (README.md).
    void greet(std::string_view own_name);

    /// Queues the frame, if it fits and there is room.
    Sent push(const Frame& frame, std::size_t queue_bytes_max);
    /// Queues a frame of a few bytes whatever waits already.
    void push_word(FrameKind kind);

    /// Whether something may be written now.
    bool writable(Instant now) const {
        return stands && !writing && !out.empty() && (ours || now >= gap_ends_at || !greeted) && state != State::ended;
    }
    /// Moves the next write to the front of `to` and returns its length: all that waits for one of ours, to others one
    /// frame.
    std::size_t write(std::span<std::byte> to);
    void on_written(Instant now, Duration compatible_gap);
    /// The peer has answered this question of ours. True when that ends a gap.
    bool on_answered(std::uint64_t key);

    /// Whether frames of the peer are still taken.
    bool reads() const {
        return state == State::naming || state == State::open || state == State::leaving || state == State::ended;
    }
    /// Frames that wait to leave.
    std::size_t waiting_frames() const;

    /// When something is to be done with it: its deadline, or the end of a gap that a frame waits for.
    Instant due_at() const;

    State state = State::unused;
    bool dialled = false;  ///< by us
    bool stands = false;   ///< the driver has it
    bool ours = false;     ///< the peer is one of ours: no gaps, no small frames
    bool greeted = false;  ///< our greeting has been written
    bool fresh = true;     ///< no frame has come but the name
    bool writing = false;
    bool read_through = false;  ///< what was written last has been read: no gap is needed
    bool held_back = false;     ///< the peer: told, or about to be told, to pause
    bool was_full = false;      ///< a push said queue_full, and `room` has not been told
    bool has_turn = false;      ///< is in Events
    bool active = false;        ///< is in the Switchboard's queue of those with something for the driver
    bool wants_connect = false, wants_close = false, wants_pause = false, wants_resume = false;
    NameIndex device = nobody;
    std::uint64_t serial = 0;  ///< no other connection has or had it
    Address peer;
    std::string name;  ///< the peer's
    Instant deadline = never;
    Instant opened_at = 0;
    Instant bytes_at = 0;  ///< when the last came
    Instant pinged_at = -never;
    Instant gap_ends_at = 0;
    std::size_t greeting_bytes = 0;
    std::optional<std::uint64_t> asked_last;  ///< the key, when the frame written last is a question
    std::optional<Frame> head;                ///< the next frame is this one, for the application
    Splitter in;
    ByteQueue out;
    Keys keys;
};

}  // namespace ringpost::devices
