#pragma once

// Capacities of the native transport and the relations between them. Names of the form _default are what an option is
// set to; those of the form _max bound it.

#include <cstddef>
#include <cstdint>
#include <ringpost/limits.hpp>
#include <ringpost/time.hpp>

namespace ringpost::limits {

/// Channels of a connection.
inline constexpr std::uint32_t native_channels_default = 8;
inline constexpr std::uint32_t native_channels_max = 256;

/// Connections of an endpoint.
inline constexpr std::uint32_t native_connections_default = 4'096;
inline constexpr std::uint32_t native_connections_max = 1u << 20;

/// Bytes of one message.
inline constexpr std::uint32_t native_message_bytes_default = 16u << 20;
inline constexpr std::uint32_t native_message_bytes_max = 1u << 30;

/// Bytes of one datagram. Every path must carry the smallest (RFC 9000, section 14.1).
inline constexpr std::size_t native_datagram_bytes_min = 1'200;
inline constexpr std::size_t native_datagram_bytes_default = 1'472;
inline constexpr std::size_t native_datagram_bytes_max = 16'384;

/// Packets in flight on one connection.
inline constexpr std::uint32_t native_packets_in_flight_max = 65'536;

/// Ranges of received packet numbers that a receiver keeps, and that one ACK carries.
inline constexpr std::size_t native_ranges_kept_max = 256;
inline constexpr std::size_t native_ranges_sent_max = 64;

/// Packets behind the newest one that are distinguished when they arrive late: at first, and at a high rate.
inline constexpr std::uint32_t native_receive_window_min = 8'192;
inline constexpr std::uint32_t native_receive_window_max = 65'536;

/// Bytes that one channel keeps until they are acknowledged.
inline constexpr std::size_t native_send_log_bytes_default = 256u << 10;
inline constexpr std::size_t native_send_log_bytes_max = 1u << 30;

/// Bytes that a peer may send ahead of what the application has taken: on one channel, and on all of a connection.
inline constexpr std::uint32_t native_channel_window_default = 1u << 20;
inline constexpr std::uint32_t native_connection_window_default = 4u << 20;

/// Runs of messages that a connection delivers from the packet they arrived in, until they are taken.
inline constexpr std::uint32_t native_runs_max = 64;

/// A packet number is skipped after at least and at most this many, to catch acknowledgements of what was not received.
inline constexpr std::uint64_t native_skip_packets_min = 1u << 10;
inline constexpr std::uint64_t native_skip_packets_max = 1u << 14;

/// What shows that a path drops large datagrams: so many were lost in a row, and so many small ones have arrived that
/// were sent later. After so many probe timeouts without a large one acknowledged, a small one is among the probes.
inline constexpr std::uint32_t native_black_hole_lost = 10;
inline constexpr std::uint32_t native_black_hole_small = 3;
inline constexpr std::uint32_t native_black_hole_timeouts = 2;

/// Packets that elicit an acknowledgement before it is due, at first and at most.
inline constexpr std::uint32_t native_ack_packets_min = 2;
inline constexpr std::uint32_t native_ack_packets_max = 64;

/// A loop that is later than this did not run.
inline constexpr Duration native_stall = second;

/// A CLOSE is sent so often; further ones answer what the peer sends.
inline constexpr std::uint32_t native_close_sends = 3;

/// Handshakes that a server has answered and whose first packet has not arrived; the least recently used one is
/// evicted first. From half of them on, a client must prove its address.
inline constexpr std::uint32_t native_half_open_max = 4'096;

/// Static keys of clients whose newest clock a server remembers; the least recently used one is evicted first.
inline constexpr std::uint32_t native_clocks_max = 65'536;

/// An Init of a known client is refused if its clock is older than the newest one by this: longer than an Init is sent
/// again, and than the connections of one client that are made at the same time are apart.
inline constexpr std::uint64_t native_clock_slack_ms = 10'000;

/// How far a client may be ahead of its rate in an allow list.
inline constexpr Duration native_rate_burst = 100 * millisecond;

/// Sessions of an application's own login, and the fewest bytes of the token of one.
inline constexpr std::uint32_t native_sessions_max = 1u << 20;
inline constexpr std::size_t native_token_bytes_min = 16;

/// Runs of equal kinds among the channels that a handshake names, bytes of its parameters, and the longest delay of an
/// acknowledgement that one may announce.
inline constexpr std::size_t native_channel_runs_max = 32;
inline constexpr std::size_t native_parameters_bytes_max = 192;
inline constexpr std::uint32_t native_ack_delay_us_max = 10'000'000;

/// A client sends its Init again after the shorter interval, which doubles up to the longer one, until the time is up.
/// A server remembers for as long what it has answered.
inline constexpr Duration native_init_interval_min = 250 * millisecond;
inline constexpr Duration native_init_interval_max = second;
inline constexpr Duration native_handshake_timeout = 10 * second;

/// Handshakes per second from which on a client must prove its address.
inline constexpr std::uint32_t native_handshakes_per_second_default = 1'000;

/// Bytes of an application's name, of a peer's name in an allow list, and of the reason of a close.
inline constexpr std::size_t native_name_bytes_max = 64;
inline constexpr std::size_t native_reason_bytes_max = 255;

static_assert(native_channels_default <= native_channels_max);
static_assert(native_connections_default <= native_connections_max);
static_assert(native_message_bytes_default <= native_message_bytes_max);
static_assert(native_datagram_bytes_min <= native_datagram_bytes_default &&
              native_datagram_bytes_default <= native_datagram_bytes_max &&
              native_datagram_bytes_max <= datagram_bytes_max);
static_assert(native_ranges_sent_max <= native_ranges_kept_max && native_ranges_sent_max <= UINT8_MAX);
static_assert((native_receive_window_min & (native_receive_window_min - 1)) == 0 &&
              native_receive_window_min % 64 == 0);
static_assert((native_receive_window_max & (native_receive_window_max - 1)) == 0);
static_assert(native_receive_window_min <= native_receive_window_max);
static_assert((native_packets_in_flight_max & (native_packets_in_flight_max - 1)) == 0);
static_assert(native_packets_in_flight_max <= native_receive_window_max);
static_assert((native_half_open_max & (native_half_open_max - 1)) == 0);
static_assert((native_clocks_max & (native_clocks_max - 1)) == 0);
static_assert((native_runs_max & (native_runs_max - 1)) == 0);
static_assert(native_send_log_bytes_default <= native_send_log_bytes_max);

}  // namespace ringpost::limits
