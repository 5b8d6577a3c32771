#pragma once

// What the messengers of gtUDP (<ringpost/gtudp.hpp>) take and return: options, refusals, outcomes, events, counters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/congestion.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>

namespace ringpost::gtudp {

/// Chosen by the sender of the DATA; the receiver only echoes it.
using Identity = std::uint32_t;

/// Configuration that both ends must share. Defaults to that of the reference implementation.
struct Wire {
    std::vector<std::byte> magic{};
    std::array<std::vector<std::byte>, 3> types{
        {{std::byte{0x1d}}, {std::byte{0x5f}}, {std::byte{0xae}}}};  ///< in the order of Kind
    bool checked = false;  ///< each DATA ends with a checksum; false in the reference implementation
};

enum class WireError : std::uint8_t {
    type_empty,      ///< a type is empty
    type_lengths,    ///< the types differ in length
    types_equal,     ///< two types are equal
    header_too_long  ///< the header leaves no room for data
};

/// Timing and number of retransmissions.
struct ResendOptions {
    std::uint32_t data_sends_max = 6;   ///< 1 to 255; then the send is given up, but not before `patience` has passed
    std::uint32_t recv_sends_max = 10;  ///< 1 to 255; then a RECV is sent only in response to the DATA
    /// Timeout before the first round-trip sample (RFC 6298 suggests 1 s; the reference implementation uses 500 ms),
    /// and bounds of the retransmission timeout afterwards.
    Duration timeout_initial = 500 * millisecond;
    Duration timeout_min = 10 * millisecond;
    Duration timeout_max = 3 * second;
    /// If set, all retransmissions use this interval without back-off and jitter, as in the reference implementation
    /// (500 ms).
    std::optional<Duration> fixed_interval{};
    /// A send is not given up earlier than this after its first transmission; the last interval is repeated until then.
    /// If not set: 10 s, but 0 with fixed_interval, as in the reference implementation.
    std::optional<Duration> patience{};
    static constexpr Duration patience_max = 3'600 * second;

    Duration effective_patience() const { return patience.value_or(fixed_interval ? 0 : 10 * second); }
};

/// Options of the protocol. Nothing is allocated after open().
struct ProtocolOptions {
    ResendOptions resending{};
    /// What limits the datagrams in flight to a peer: a window that follows what the path carries, or with `fixed` the
    /// tables alone, as in the reference implementation.
    CongestionControl congestion = CongestionControl::cubic;
    /// The remembered window: how long after its last datagram a received exchange is remembered, so that duplicates
    /// are not delivered. Exchanges are evicted earlier if newer ones need the space (receives_max); this is counted.
    Duration remembered = 30 * second;
    std::uint64_t deliveries_max = UINT64_MAX;  ///< messages to deliver; further ones are treated as if the event queue
                                                ///< were full
    bool recv_from_any = false;  ///< deliver datagrams that are not gtUDP as `foreign` events; otherwise they are only
                                 ///< counted
    /// ACKs per second sent for RECVs of unknown exchanges: to each verified peer, and to all other addresses together.
    std::uint32_t unknown_acks_per_s = 1'000;

    // Table sizes must be powers of two.
    std::uint32_t sends_max = 65'536;  ///< exchanges in flight
    std::uint32_t sends_per_peer_max = UINT32_MAX;
    /// Replies in flight to peers that are not verified. One more ends the oldest, so that a newcomer gets its reply.
    /// If not set: an eighth of the smaller of sends_max and peers_max. Their payload is at most an eighth of
    /// payload_bytes.
    std::optional<std::uint32_t> unproven_sends_max{};
    std::uint32_t receives_max = 262'144;  ///< exchanges received, in progress or remembered
    std::uint32_t receives_per_peer_max = UINT32_MAX;
    std::uint32_t peers_max = 65'536;
    std::size_t payload_bytes = 16u << 20;  ///< payload of all exchanges in flight
    std::size_t payload_per_peer_bytes = UINT32_MAX;
    /// Each message causes a reply. While more than half of a peer's share is in flight, its messages are dropped as if
    /// the event queue were full, and the peer sends them again.
    bool answering = false;
    std::size_t event_bytes = 8u << 20;  ///< queued for the application
};

/// Why a send was refused.
enum class Refusal : std::uint8_t {
    too_large,   ///< larger than what fits one datagram
    table_full,  ///< the limit sends_max or payload_bytes is reached
    peer_full,   ///< sends_per_peer_max sends or payload_per_peer_bytes to this peer are in flight, or for an
                 ///< unproven one the shared part of either
    peers_full,  ///< all peers_max peers have exchanges in flight or remembered
    not_ready,   ///< the endpoint is closed
    bad_peer,    ///< no address or port, or of another family than the socket's
};

/// How an accepted send ended.
enum class Outcome : std::uint8_t {
    confirmed,         ///< the peer has confirmed delivery
    gave_up_attempts,  ///< sent data_sends_max times without a confirmation, or displaced (Counters::displaced)
    gave_up_deadline,  ///< not confirmed by its deadline
    cancelled,
};

/// Identifies a send from send() until its outcome event.
struct ExchangeId {
    std::uint32_t index = UINT32_MAX;  ///< below sends_max and unique among sends in flight; callers may use it as a
                                       ///< table index
    Identity identity = 0;
    bool operator==(const ExchangeId&) const = default;
};

/// An event for the application.
struct Event {
    enum class Kind : std::uint8_t {
        message,  ///< DATA from a peer, delivered once
        foreign,  ///< a datagram that is not gtUDP (only with ProtocolOptions::recv_from_any)
        outcome,  ///< the end of one of our sends
    };
    Kind kind = Kind::message;
    Address peer;
    std::span<const std::byte> bytes;  ///< message, foreign: valid during the call of the handler only
    ExchangeId id;                     ///< outcome: the send that ended; its index may be reused from now on
    Outcome outcome = Outcome::confirmed;
    std::uint32_t sends = 0;  ///< outcome: number of times the DATA was sent or withheld; 255: or more
    /// outcome other than confirmed: the errno with which the kernel last refused a datagram to this peer since the
    /// last message from it; 0: none.
    int error = 0;
};

struct Counters {
    // Sending: taken == confirmed + gave_up_attempts + gave_up_deadline + cancelled + in flight.
    std::uint64_t taken = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t gave_up_attempts = 0;
    std::uint64_t gave_up_deadline = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_table_full = 0;
    std::uint64_t refused_peer_full = 0;
    std::uint64_t refused_peers_full = 0;
    std::uint64_t refused_not_ready = 0;
    std::uint64_t refused_bad_peer = 0;
    std::uint64_t displaced = 0;      ///< part of gave_up_attempts: ended for a newer reply
    std::uint64_t data_withheld = 0;  ///< DATA not sent: a reply to an unverified peer that has been sent three times
                                      ///< the bytes received from it; counts as a send that was lost
    std::uint64_t identities_skipped = 0;  ///< still in flight with that peer when due for reuse after 2^32 sends

    // Frames sent, by kind; data_resent and recv_resent are parts of data_sent and recv_sent.
    std::uint64_t data_sent = 0;
    std::uint64_t data_resent = 0;
    std::uint64_t recv_sent = 0;
    std::uint64_t recv_resent = 0;
    std::uint64_t ack_sent = 0;
    std::uint64_t ack_unknown_sent = 0;  ///< part of ack_sent: for unknown exchanges
    std::uint64_t raw_sent = 0;

    // Frames received, by kind.
    std::uint64_t data_received = 0;
    std::uint64_t recv_received = 0;
    std::uint64_t ack_received = 0;
    std::uint64_t foreign = 0;  ///< datagrams that are not gtUDP

    // Receiving: data_received == delivered + duplicates + the next five.
    std::uint64_t delivered = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t app_behind = 0;     ///< no room for the event, or for its reply (answering); the peer will resend
    std::uint64_t receives_full = 0;  ///< the table is full and no exchange can be evicted
    std::uint64_t receives_peer_full = 0;
    std::uint64_t peers_full = 0;
    std::uint64_t corrupt = 0;  ///< DATA whose checksum is wrong (Wire::checked); not confirmed, so its sender resends

    /// Datagrams dropped because their hop limit had reached 1, where the socket reports it
    /// (SocketOptions::hop_limits).
    std::uint64_t hops_exhausted = 0;

    std::uint64_t ack_unknown = 0;   ///< ACKs that no exchange was waiting for
    std::uint64_t recv_unknown = 0;  ///< RECVs for a message that is not in flight
    /// ACKs not sent for such a RECV: unknown_acks_per_s exceeded, queue full, or an unverified peer has been sent
    /// three times the bytes received from it.
    std::uint64_t ack_withheld = 0;
    /// RECVs not sent: an unverified peer has been sent three times the bytes received from it, or queue full.
    std::uint64_t recv_withheld = 0;
    std::uint64_t recv_gave_up = 0;     ///< exchanges whose RECV was sent recv_sends_max times without an ACK
    std::uint64_t forgotten_early = 0;  ///< exchanges evicted within the remembered window to make room
    std::uint64_t foreign_dropped = 0;  ///< part of foreign, with recv_from_any: no room for the event
    std::uint64_t peers_forgotten = 0;  ///< peers evicted for new ones

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"taken", &Counters::taken},
            {"confirmed", &Counters::confirmed},
            {"gave_up_attempts", &Counters::gave_up_attempts},
            {"gave_up_deadline", &Counters::gave_up_deadline},
            {"cancelled", &Counters::cancelled},
            {"refused_too_large", &Counters::refused_too_large},
            {"refused_table_full", &Counters::refused_table_full},
            {"refused_peer_full", &Counters::refused_peer_full},
            {"refused_peers_full", &Counters::refused_peers_full},
            {"refused_not_ready", &Counters::refused_not_ready},
            {"refused_bad_peer", &Counters::refused_bad_peer},
            {"displaced", &Counters::displaced},
            {"data_withheld", &Counters::data_withheld},
            {"identities_skipped", &Counters::identities_skipped},
            {"data_sent", &Counters::data_sent},
            {"data_resent", &Counters::data_resent},
            {"recv_sent", &Counters::recv_sent},
            {"recv_resent", &Counters::recv_resent},
            {"ack_sent", &Counters::ack_sent},
            {"ack_unknown_sent", &Counters::ack_unknown_sent},
            {"raw_sent", &Counters::raw_sent},
            {"data_received", &Counters::data_received},
            {"recv_received", &Counters::recv_received},
            {"ack_received", &Counters::ack_received},
            {"foreign", &Counters::foreign},
            {"delivered", &Counters::delivered},
            {"duplicates", &Counters::duplicates},
            {"app_behind", &Counters::app_behind},
            {"receives_full", &Counters::receives_full},
            {"receives_peer_full", &Counters::receives_peer_full},
            {"peers_full", &Counters::peers_full},
            {"corrupt", &Counters::corrupt},
            {"ack_unknown", &Counters::ack_unknown},
            {"recv_unknown", &Counters::recv_unknown},
            {"ack_withheld", &Counters::ack_withheld},
            {"recv_withheld", &Counters::recv_withheld},
            {"recv_gave_up", &Counters::recv_gave_up},
            {"forgotten_early", &Counters::forgotten_early},
            {"foreign_dropped", &Counters::foreign_dropped},
            {"hops_exhausted", &Counters::hops_exhausted},
            {"peers_forgotten", &Counters::peers_forgotten},
        });
    }
};
static_assert(lists_every_counter<Counters>());

}  // namespace ringpost::gtudp
