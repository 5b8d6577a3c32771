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
#include "codec/devices/reach.hpp"
#include "codec/devices/shares.hpp"

namespace ringpost::devices {

/// Manages all connections: which side opens them, when to retry, which of two connections remains, and what their
/// frames do.
///
/// The device with the lower name opens the connection, and retries with back-off while the other is in the directory.
/// Meanwhile the other sends it an occasional unicast hello, since it may not receive multicast, or may still consider
/// a previous connection alive. Of two connections, the one opened by the lower name remains, otherwise the newer one.
/// Both ends know both names and who opened, so they choose alike. A connection is only closed in favour of one that is
/// established and named, and the closing end is the one that would reconnect if that fails, so the two cannot end up
/// with none.
class Switchboard {
  public:
    Switchboard(Context& context, Announcer& announcer);

    /// An advert came from `source`. Call it before the directory learns of it.
    void on_advert_bytes(const Address& source, std::size_t payload);
    /// Removes a name that is not connected if the directory is full and `name` is new.
    void make_room(Instant now, std::string_view name);

    // Notifications from the directory:
    void on_appeared(Instant now, NameIndex device);
    /// The device has sent an advert from its address.
    void on_advert(Instant now, NameIndex device);
    /// The device has sent a hello: it may have restarted, and then our connection to it is stale.
    void on_hello(Instant now, NameIndex device);
    /// Pings a connected device to provoke activity. Returns false if it is not connected or was pinged within the last
    /// second.
    bool ping(Instant now, NameIndex device);
    /// The device is suspect, gone or moved. Reports it to the application.
    void on_change(Instant now, NameIndex device, Change change, const Address& before);
    /// Another device at `claimant` uses this name. Reported to the application if `report` is set.
    void on_conflict(Instant now, NameIndex device, const Address& claimant, bool report);
    void report_name_taken(Instant now, const Address& by);

    // Calls from the application:
    Sent push(Instant now, NameIndex device, const Frame& frame);
    /// Queues the question with a new key. `asked` is settled by the answer or by the end of the connection.
    Sent ask(Instant now, NameIndex device, std::string_view text, const Asked& asked);
    Sent answer(Instant now, const Inquiries::Inquiry& inquiry, std::string_view text);
    void remove_question(StreamIndex stream, std::uint64_t key) { connections_[stream]->keys.remove(key); }
    void close(Instant now);
    /// Whether the driver has no stream of ours and no request for one is pending.
    bool empty() const { return streams_.taken() == 0; }

    const Connection* connection(NameIndex device) const;
    std::optional<Cause> last_cause(NameIndex device) const;

    // Calls from the driver:
    std::optional<StreamIndex> accept(Instant now, const Address& peer);
    void handle(Instant now, const StreamInput& in);
    std::optional<StreamRequest> poll(Instant now, std::span<std::byte> out);

    void expire(Instant now);
    std::optional<Instant> next_timeout() const;

    /// Fills `event` with the next frame for the application from a connection whose turn it is. Returns false if there
    /// is none; its turn then ends. take() removes the frame.
    bool peek(StreamIndex stream, Event& event);
    void take(StreamIndex stream);
    void end_turn(StreamIndex stream);

  private:
    static constexpr StreamIndex no_stream = UINT32_MAX;

    /// Whether the driver still has a stream when its connection ends.
    enum class DriverStream : std::uint8_t { open, closed };

    /// The connections of a device.
    struct Link {
        StreamIndex connection = no_stream;  ///< in state open
        StreamIndex attempt = no_stream;     ///< opened by us, not yet open
        std::uint32_t failures = 0;          ///< since the last stable connection
        bool awaits_advert = false;          ///< an attempt or a hello was due and not paid for (Reach)
        Instant open_at = -never;            ///< when a connection was last known to be open
        std::optional<Cause> last_cause;
    };

    // Opening connections (switchboard_opening.cpp).
    Link& link(NameIndex device);
    bool we_open(NameIndex device) const;
    bool is_proven(Instant now, NameIndex device);
    bool may_attempt(Instant now, NameIndex device, const Address& to);
    Reach& reach_of(const Address& to) { return announcer_.is_near(to) ? near_ : far_; }
    bool has_place(const Address& to, bool newcomer) const;
    void end_attempt(Instant now, Connection& attempt, Cause cause);
    void release_attempt(Instant now, Connection& attempt, Reach::Outcome outcome);
    void start_connecting(Instant now, NameIndex device);
    void dial(Instant now, NameIndex device);
    void retry_later(Instant now, NameIndex device);
    void retry(Instant now, NameIndex device);

    // Choosing between two connections, and ending them (switchboard.cpp).
    std::optional<StreamIndex> claim(Connection::State state, const Address& peer, Instant deadline);
    void on_name(Instant now, StreamIndex stream, std::string_view name);
    bool may_stay(Instant now, StreamIndex stream);
    void open(Instant now, StreamIndex stream);
    void drop_device(Instant now, NameIndex device, const Address& before);
    void end(Instant now, StreamIndex stream, Cause cause, DriverStream at_driver = DriverStream::open);
    void unlink(Instant now, StreamIndex stream, Cause cause, bool was_open);
    void release_driver_stream(StreamIndex stream, DriverStream at_driver);
    void on_stream_released(const Connection& released);
    void count_unread(Connection& from);
    void end_slow_frames();
    void release(StreamIndex stream);
    void on_due(Instant now, StreamIndex stream);
    void schedule(StreamIndex stream);
    void activate(StreamIndex stream);

    // Frames (switchboard_frames.cpp).
    void on_bytes(Instant now, StreamIndex stream, std::span<const std::byte> bytes);
    void on_written(Instant now, StreamIndex stream);
    bool process_frames(StreamIndex stream);
    void on_control_frame(StreamIndex stream, const Frame& frame);
    void fail(StreamIndex stream, Cause cause);
    void on_ping(StreamIndex stream);
    void on_answer(StreamIndex stream, const Frame& frame);
    void set_paused(StreamIndex stream, bool back);
    Sent push_on(Instant now, StreamIndex stream, const Frame& frame);
    void settle_question(const Asked& asked, Reply reply, std::string_view text);

    Context& context_;
    Announcer& announcer_;
    std::vector<Link> links_;  ///< by NameIndex
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<StreamIndex> free_;
    RingQueue<StreamIndex> active_;  ///< connections that may have requests for the driver, each at most once
    TimerWheel deadlines_;           ///< by StreamIndex
    TimerWheel retries_;             ///< by NameIndex
    SourceRates accept_rates_;
    Reach near_, far_;  ///< addresses of our own networks, which a flood from others does not evict, and others
    Shares streams_;    ///< that the driver has, by network
    Shares unnamed_;    ///< accepted, and their peer has not sent its name
    Shares attempts_;   ///< of ours, to devices that are not proven
    std::uint64_t newest_serial_ = 0;
    Instant now_ = 0;  ///< of the latest call with a time; poll_event() has none
    Instant rejoin_reported_at_ = -never, name_taken_reported_at_ = -never;
};

}  // namespace ringpost::devices
