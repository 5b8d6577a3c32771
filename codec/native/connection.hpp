#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/native/statistics.hpp>
#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"
#include "codec/crypto/aead.hpp"
#include "codec/native/black_hole.hpp"
#include "codec/native/closing.hpp"
#include "codec/native/event.hpp"
#include "codec/native/idle.hpp"
#include "codec/native/key_phases.hpp"
#include "codec/native/options.hpp"
#include "codec/native/receiving.hpp"
#include "codec/native/recovering.hpp"
#include "codec/native/sending.hpp"

namespace ringpost::native {

/// A train that was written: equal packets, of which only the last may be shorter.
struct Train {
    std::size_t bytes = 0, segment_bytes = 0;
};

/// One connection after its handshake: a state machine without I/O, driven as the endpoints of this library are (see
/// <ringpost/endpoint.hpp>), except that the caller knows the addresses.
///
/// One thread drives it. For each channel, send() may be called by one other thread, up to close().
class Connection {
  public:
    Connection(Instant now, const ConnectionOptions& options, const PeerOptions& peer, crypto::PacketKey send,
               crypto::PacketKey receive);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Appends a copy of the message; it leaves with the next poll_transmit().
    SendResult send(std::uint32_t channel, std::span<const std::byte> message);
    /// The same for messages of one size that lie one after another. Returns how many were queued.
    std::size_t send_many(std::uint32_t channel, const std::byte* messages, std::size_t message_bytes,
                          std::size_t count);
    /// Space for messages of one size, to be written in place instead of copied; see SendLog::reserve(). None: no such
    /// channel, closing, too large, no space, or none in one piece: send() finds out, and waits for space.
    Reserved reserve(std::uint32_t channel, std::size_t message_bytes, std::size_t count);
    /// Queues the first `count` of what the last reserve() on this channel has returned.
    void commit(std::uint32_t channel, std::size_t count);
    /// No new sends; everything reliable is flushed, or given up at `deadline`; at once, if that has passed, and the
    /// peer does not learn that anything was delivered. Event::closed has the outcome. Codes below 0x100 other than
    /// CloseCode::done are the transport's.
    void close(Instant now, Instant deadline, std::uint16_t code = 0, std::span<const std::byte> reason = {});

    /// Sends a packet that the peer answers, even if there is nothing to send.
    void ping() { ping_due_ = true; }
    /// The peer has proved that it does not know the connection: the end, with CloseCode::reset.
    void on_reset(Instant now) { fail(now, CloseCode::reset, Notify::no_one); }
    /// The connection cannot go on.
    void fail(Instant now, CloseCode code, Notify notify = Notify::peer);

    /// One packet for this connection, opened in place: `packet` must stay valid and unchanged until poll_event() has
    /// returned nullopt or retain() was called.
    void handle(Instant now, std::span<std::byte> packet);
    void handle_timeout(Instant now);
    /// Writes a packet or a train to the front of `out`, which must hold at least one datagram.
    std::optional<Train> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    Instant poll_timeout() const;

    /// The packets passed to handle() go away although not all events were polled: copies what these need.
    void retain() {
        if (!receiving_.retain()) fail(now_, CloseCode::flow_control);
    }

    /// Nothing happens any more; the connection may be destroyed.
    bool ended() const { return closing_.phase() == Closing::Phase::ended; }
    /// Everything that was sent is acknowledged.
    bool all_acknowledged() const { return sending_.all_acked(); }
    /// Of messages that were appended: neither sent nor acknowledged, in the form of the wire.
    std::uint64_t unsent_bytes() const { return sending_.unsent_bytes(); }
    /// Messages that the peer has not acknowledged. O(messages).
    std::uint64_t count_unacknowledged() const { return sending_.count_unacked(); }
    std::uint64_t unacknowledged_bytes() const { return sending_.unacked_bytes(); }
    /// Null: the outcome is not known yet. The event `closed` follows what has arrived.
    const CloseOutcome* outcome() const { return closing_.outcome(); }
    /// See Closing.
    std::string_view peer_reason() const { return closing_.peer_reason(); }
    const Statistics& statistics() const { return counts_; }
    Path path() const;
    std::string_view cipher() const { return keys_.implementation(); }
    const recovery::Rtt& rtt() const { return recovering_.loss().rtt(); }
    std::uint64_t in_flight() const { return recovering_.loss().in_flight(); }
    std::uint64_t window() const { return recovering_.congestion().window(); }
    const Recovering& recovering() const { return recovering_; }

    // Called by loss detection.
    void on_packet_acked(std::uint64_t number, const recovery::SentPacket& packet);
    void on_packet_lost(std::uint64_t number, const recovery::SentPacket& packet);

  private:
    struct Packet;
    struct FrameHandler;

    bool handle_frames(Instant now, std::span<const std::byte> plain, bool& eliciting, bool& at_once);
    void after_acks(Instant now);
    void use_small_packets();
    void check_delivered(Instant now);
    void note_time(Instant now);
    bool traces() const { return options_.tracer != nullptr; }
    void trace(TraceEvent event);
    void trace_end();
    void drop(std::uint64_t& counter, TraceEvent::Drop why, std::uint64_t number, std::size_t bytes);
    void note_phase() {
        if (closing_.refuses_sends()) accepts_sends_.store(false, std::memory_order_relaxed);
    }

    std::size_t build_packet(Instant now, std::span<std::byte> out, bool follows, std::uint64_t allowance);
    std::size_t build_end(Instant now, std::span<std::byte> out);
    void fill_packet(Instant now, Packet& packet, std::uint64_t allowance, bool follows);
    void fill_probe(Packet& packet);
    std::size_t finish_packet(Instant now, Packet& packet, std::span<std::byte> out, bool follows);
    void skip_number(Instant now);
    std::size_t overhead() const { return short_header_bytes + keys_.tag_bytes(); }

    ConnectionOptions options_;
    Id remote_;
    std::uint64_t traced_as_;
    KeyPhases keys_;
    Recovering recovering_;
    Sending sending_;
    Receiving receiving_;
    Closing closing_;
    Idle idle_;
    BlackHole black_hole_;
    SplitMix64 random_;
    std::uint64_t skip_at_ = 0;
    std::atomic<bool> accepts_sends_ = true;
    bool ping_due_ = false, end_traced_ = false;
    std::uint64_t probe_from_ = 0;  ///< packets before it have been probed for since the last timeout
    Instant now_ = 0;               ///< of the last call, for poll_event()
    std::uint64_t trips_reported_ = 0;
    Statistics counts_;
};

}  // namespace ringpost::native
