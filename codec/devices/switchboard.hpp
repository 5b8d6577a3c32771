#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ringpost/stream.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/devices/announcer.hpp"
#include "codec/devices/connection.hpp"
#include "codec/devices/context.hpp"

namespace ringpost::devices {

/// All connections: who opens which, when again, which of two stays, and what the frames do.
///
/// The device whose name sorts lower opens, and opens again, with a back-off, for as long as the other is in the
/// directory; the other meanwhile says hello to it now and then, to it alone: perhaps it does not hear the group, or
/// still believes in a connection of before. One connection stays of two: the one that the lower name opened, or else
/// the newer. Both ends know the names and who opened, so they choose alike; and a connection is only given up for
/// another that stands and whose peer has said its name, by the end that will open again if that one fails: the two can
/// not end with none.
class Switchboard {
  public:
    Switchboard(Context& context, Announcer& announcer);

    // What the directory has learned:
    void on_appeared(Instant now, NameIndex device);
    /// It has said hello: it may have been started again, and not know the connection that we believe in.
    void on_hello(Instant now, NameIndex device);
    /// Asks a device for a sign: a ping, when it is connected and has not had one within the last second (else false).
    bool ping(Instant now, NameIndex device);
    /// Suspect, gone or moved; told to the application here.
    void on_change(Instant now, NameIndex device, Change change, const Address& before);
    /// Another device at `claimant` says this name; the application is told if `tell`.
    void on_conflict(Instant now, NameIndex device, const Address& claimant, bool tell);
    void tell_name_taken(Instant now, const Address& by);

    // What the application says:
    Sent push(Instant now, NameIndex device, const Frame& frame);
    /// Queues the question with a key of its own; `asked` is settled by its answer or the connection's end.
    Sent ask(Instant now, NameIndex device, std::string_view text, const Asked& asked);
    Sent answer(Instant now, const Inquiries::Inquiry& inquiry, std::string_view text);
    void forget_question(StreamIndex stream, std::uint64_t key) { connections_[stream]->keys.remove(key); }
    void close(Instant now);
    /// The driver has no stream of ours, and will not be asked for one.
    bool empty() const { return streams_ == 0; }

    const Connection* connection(NameIndex device) const;
    std::optional<Cause> last_cause(NameIndex device) const;

    // What the driver says, and is told:
    std::optional<StreamIndex> accept(Instant now, const Address& peer);
    void handle(Instant now, const StreamInput& in);
    std::optional<StreamRequest> poll(Instant now, std::span<std::byte> out);

    void expire(Instant now);
    std::optional<Instant> next_timeout() const;

    /// The next frame for the application, as an event, of a connection whose turn it is; nothing: its turn is over.
    /// The frame is forgotten with take().
    bool peek(StreamIndex stream, Event& event);
    void take(StreamIndex stream);
    void end_turn(StreamIndex stream);

  private:
    static constexpr StreamIndex no_stream = UINT32_MAX;

    /// What is known of a device's connections.
    struct Link {
        StreamIndex connection = no_stream;  ///< open
        StreamIndex attempt = no_stream;     ///< ours, under way
        std::uint32_t failures = 0;          ///< since a connection has lasted
        std::optional<Cause> last_cause;
    };

    // Opening, and which stays (switchboard.cpp).
    Link& link(NameIndex device);
    bool we_open(NameIndex device) const;
    void reach(Instant now, NameIndex device);
    void dial(Instant now, NameIndex device);
    void retry_later(Instant now, NameIndex device);
    void retry(Instant now, NameIndex device);
    std::optional<StreamIndex> claim(Connection::State state, const Address& peer, Instant deadline);
    void on_name(Instant now, StreamIndex stream, std::string_view name);
    bool may_stay(Instant now, StreamIndex stream);
    void open(Instant now, StreamIndex stream);
    void drop_device(Instant now, NameIndex device, const Address& before);
    void end(Instant now, StreamIndex stream, Cause cause, bool gone_already = false);
    void leave_link(Instant now, StreamIndex stream, Cause cause, bool was_open);
    void let_go(StreamIndex stream, bool gone_already);
    void release(StreamIndex stream);
    void on_due(Instant now, StreamIndex stream);
    void schedule(StreamIndex stream);
    void activate(StreamIndex stream);

    // Frames (switchboard_frames.cpp).
    void on_bytes(Instant now, StreamIndex stream, std::span<const std::byte> bytes);
    void on_written(Instant now, StreamIndex stream);
    bool settle(StreamIndex stream);
    void take_frame(StreamIndex stream, const Frame& frame);
    void break_off(StreamIndex stream, Cause cause);
    void on_ping(StreamIndex stream);
    void on_answer(StreamIndex stream, const Frame& frame);
    void hold_back(StreamIndex stream, bool back);
    Sent push_on(Instant now, StreamIndex stream, const Frame& frame);
    void settle_asked(const Asked& asked, Reply reply, std::string_view text);

    Context& context_;
    Announcer& announcer_;
    std::vector<Link> links_;  ///< by NameIndex
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<StreamIndex> free_;
    RingQueue<StreamIndex> active_;  ///< have something for the driver, perhaps; each once
    TimerWheel deadlines_;           ///< by StreamIndex
    TimerWheel retries_;             ///< by NameIndex
    SourceRates accept_rates_;
    std::uint32_t streams_ = 0, unnamed_ = 0;
    std::uint64_t newest_serial_ = 0;
    Instant now_ = 0;  ///< of the latest call that was told: frames are also taken when the application asks for them
    Instant rejoin_told_at_ = -never, name_taken_told_at_ = -never;
};

}  // namespace ringpost::devices
