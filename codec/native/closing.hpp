#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/time.hpp>
#include "codec/native/event.hpp"
#include "codec/native/frame.hpp"
#include "codec/native/limits.hpp"

namespace ringpost::native {

/// Who learns why a connection has failed: the peer by a CLOSE with the code, or only the application.
enum class Notify : std::uint8_t { peer, no_one };

/// The end of a connection, in both directions. One direction is what this side sent: it is flushed, CLOSE names its
/// last numbers, and CLOSED answers whether the peer's application has taken everything. The other is what the peer
/// sent.
class Closing {
  public:
    enum class Phase : std::uint8_t {
        open,
        flushing,  ///< close(): no new sends; waits until everything is acknowledged
        asking,    ///< CLOSE is sent; waits for CLOSED
        draining,  ///< the outcome is known; what still arrives is answered or ignored
        ended,     ///< nothing is done any more
    };

    Phase phase() const { return phase_; }
    bool refuses_sends() const { return phase_ != Phase::open || peer_closes_; }
    /// Whether messages and acknowledgements are still exchanged.
    bool exchanges() const { return phase_ < Phase::draining; }

    /// close(): returns false if the connection is closing already.
    bool begin(Instant deadline, std::uint16_t code, std::span<const std::byte> reason);
    /// Everything sent is acknowledged.
    void on_flushed(Instant now);
    /// The connection fails by itself or the peer's doing, with an outcome.
    void fail(Instant now, CloseCode code, Notify notify, std::uint64_t unconfirmed, Duration probe_timeout);

    void on_close(Instant now, const CloseFrame& frame, std::uint64_t unconfirmed, Duration probe_timeout);
    void on_closed(Instant now, const ClosedFrame& frame, Duration probe_timeout);
    /// The application has taken everything that the peer has sent before its CLOSE.
    void on_peer_delivered(Instant now, std::uint64_t unconfirmed, Duration probe_timeout);
    /// Not of a side that has failed, or whose deadline has passed: what it has taken may not have been used.
    bool awaits_delivery() const { return peer_closes_ && !peer_answered_ && (phase_ < Phase::draining || graceful_); }
    /// Why the peer has closed, in its words; "": it has not, or gave no reason.
    std::string_view peer_reason() const { return {peer_reason_.data(), peer_reason_bytes_}; }
    /// What the peer's CLOSE names.
    std::span<const ChannelEnd> peer_ends() const { return std::span(peer_ends_).first(peer_ends_count_); }
    bool peer_closes() const { return peer_closes_; }

    /// Null before `draining`.
    const CloseOutcome* outcome() const { return phase_ >= Phase::draining ? &outcome_ : nullptr; }

    /// The peer does not know yet that this is the end: it is answered once more.
    void on_late_packet();

    enum class Frame : std::uint8_t { none, close, closed };
    /// The frame that is due now; the caller writes it.
    Frame due() const;
    void on_written(Instant now, Frame frame, Duration probe_timeout);
    std::uint16_t code() const { return code_; }
    bool graceful() const { return graceful_; }
    std::span<const std::byte> reason() const { return std::span(reason_).first(reason_bytes_); }
    bool peer_delivered() const { return peer_delivered_; }

    /// A timer is due. `unconfirmed`: messages without acknowledgement.
    void expire(Instant now, std::uint64_t unconfirmed, Duration probe_timeout);
    Instant due_at() const;

    /// The events that are due, in order.
    std::optional<Event> take_event();

  private:
    void note_reason(const CloseFrame& frame);
    void drain(Instant now, const CloseOutcome& outcome, Duration probe_timeout);

    Phase phase_ = Phase::open;
    Instant deadline_ = never;  ///< of close(); then the end of draining
    Instant resend_at_ = never;
    std::uint32_t sends_ = 0;
    bool close_due_ = false, closed_due_ = false;
    std::uint16_t code_ = 0;
    bool graceful_ = false, close_sent_ = false;
    std::array<std::byte, limits::native_reason_bytes_max> reason_{};
    std::size_t reason_bytes_ = 0;

    bool peer_closes_ = false, peer_answered_ = false, peer_delivered_ = false;
    std::uint16_t peer_code_ = 0;
    std::array<ChannelEnd, limits::native_channels_max> peer_ends_{};
    std::size_t peer_ends_count_ = 0;
    std::array<char, limits::native_reason_bytes_max> peer_reason_{};
    std::size_t peer_reason_bytes_ = 0;

    bool closing_event_ = false, closed_event_ = false;
    CloseOutcome outcome_;
};

}  // namespace ringpost::native
