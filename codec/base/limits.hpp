#pragma once

// Capacities, with those of <ringpost/limits.hpp>, and the relations between them. Reaching a limit yields an error
// or a drop that is counted; it never aborts and is never silent.

#include <cstddef>
#include <cstdint>
#include <ringpost/limits.hpp>

namespace ringpost::limits {

/// Largest encoded histogram: a header of 40 bytes and up to 9 bytes for each bucket of the 63-bit value range.
inline constexpr std::size_t histogram_encoded_bytes_max = 40 + 9 * 55'296;

/// Segments that every kernel with GSO accepts. Used when the running kernel cannot be probed.
inline constexpr std::size_t train_segments_always = 64;

/// Datagrams that a load source writes per batch when GSO is off.
inline constexpr std::size_t load_batch_without_gso = 16;

/// Sends refused by the kernel that a backend reports in one turn, and peers whose last errno is remembered.
inline constexpr std::size_t send_failures_max = 64;
inline constexpr std::uint32_t failed_peers_max = 256;

/// Buffers of datagram_bytes_max that an engine lends to poll_transmit: the number of trains in flight at once.
inline constexpr std::size_t transmit_buffers_max = 16;

/// Handles that the C interface can open at a time.
inline constexpr std::size_t c_handles_max = 4'096;

/// Datagrams that a handle with `trace` records; asks whose answers are kept; events of a device that are kept until
/// their kind is asked for.
inline constexpr std::size_t c_packets_max = 4'096;
inline constexpr std::size_t c_answers_max = 64;
inline constexpr std::size_t c_kept_max = 4'096;

/// Sources that a beacon counts separately; the least recently received one is evicted first.
inline constexpr std::uint32_t beacon_sources_max = 65'536;

/// Bytes of received beacons queued for the application between two turns of the loop.
inline constexpr std::size_t beacon_queue_bytes = 4u << 20;

/// Streams (sender, flow) whose sequence numbers one sink tracks; the least recently received one is evicted first.
inline constexpr std::uint32_t load_streams_max = 65'536;

/// Senders of which a sink counts each; those beyond are counted together.
inline constexpr std::uint32_t load_senders_max = 256;
/// Of a multicast group, with a row of their own in the report of `latency`. A power of two.
inline constexpr std::uint32_t receivers_max = 64;

/// Flows of one load source, each with its own socket. One sink can track all of them.
inline constexpr std::uint32_t load_flows_max = load_streams_max;

/// Width of the window behind the newest sequence number in which late datagrams and duplicates are distinguished. At
/// several million messages a second it covers the time in which gtUDP retransmits a lost message.
inline constexpr std::uint64_t load_window_sequences = 262'144;

/// Streams of one sink that have such a window at once. Those beyond have a narrower one: they share the rate.
inline constexpr std::uint32_t load_wide_windows = 1'024;
inline constexpr std::uint64_t load_narrow_window_sequences = 4'096;

/// Sizes in a load source's size list.
inline constexpr std::size_t load_sizes_max = 64;

/// Replies that an answering sink queues while the socket is full.
inline constexpr std::uint32_t load_answers_owed_max = 65'536;

/// Answers of a sink's control channel a second, and how many wait at a time while the socket is full.
inline constexpr std::int64_t control_answers_per_s = 16'384;
inline constexpr std::uint32_t control_answers_owed_max = 1'024;
/// Loads that a sink sends at a time to those that have asked, and how long one lasts at most.
inline constexpr std::size_t reverse_sendings_max = 16;
inline constexpr std::uint64_t reverse_ns_max = 3'600'000'000'000;
/// Flows whose counts a load asks for at a time.
inline constexpr std::size_t control_asked_max = 64;

/// Probes in flight whose send times a prober keeps. A probe counts as lost once this many later ones have been sent.
inline constexpr std::uint32_t probes_in_flight_max = 65'536;

/// Most recent probes that a prober can match by reply content. A reply to an older probe counts as foreign.
inline constexpr std::uint32_t probe_keys_max = 262'144;

/// Payloads that one sender cycles through, the fields in each and in all, and their total size.
inline constexpr std::size_t payloads_max = 4u << 20;
inline constexpr std::size_t payload_fields_max = 256;
inline constexpr std::size_t payloads_fields_max = 1u << 20;
inline constexpr std::size_t payloads_bytes_max = 2u << 30;

/// A scenario: its lines that do something, those of them that have a row in the report, nested repeats, how often one
/// repeats, replies to one datagram, variables and their size.
inline constexpr std::size_t scenario_steps_max = 1'024;
inline constexpr std::size_t scenario_rows_max = 64;
inline constexpr std::size_t scenario_depth_max = 4;
inline constexpr std::uint32_t scenario_repeats_max = 1'000'000;
inline constexpr std::size_t scenario_replies_max = 4;
inline constexpr std::size_t scenario_variables_max = 16;
inline constexpr std::size_t scenario_variable_bytes_max = 255;

/// Bytes of a URI, a path or a community in a preset.
inline constexpr std::size_t preset_text_max = 1'024;

/// Bytes of replies that an echo endpoint queues while the socket is full.
inline constexpr std::size_t echo_queue_bytes = 4u << 20;

/// Clients of one relay, each with its own socket: half the default limit on open descriptors. The least recently
/// active client is evicted first.
inline constexpr std::uint32_t relay_clients_max = 512;

/// Bytes and datagrams that a relay delays, both directions together. Bytes are allocated in chunks of 64.
inline constexpr std::size_t relay_held_bytes = 64u << 20;
inline constexpr std::uint32_t relay_held_max = 262'144;

/// Longest queueing delay on a relay's rate-limited link.
inline constexpr std::int64_t relay_queue_ns_max = 100'000'000;

/// Nesting depth of objects and arrays in a confirmed message, including the frame's own object.
inline constexpr std::size_t confirmed_depth_max = 16;

/// Queued adverts: one multicast round and as many unicast adverts.
inline constexpr std::size_t devices_adverts_queued_max =
    std::size_t{2} * devices_interfaces_max * (1 + devices_seeds_max);

/// Addresses whose adverts and connections are rate-limited; the least recently active one is evicted first.
inline constexpr std::uint32_t devices_sources_max = 4'096;

/// Accepted connections whose peer has not sent its name yet.
inline constexpr std::uint32_t devices_unnamed_max = 1'024;

/// Bytes received on one connection that the application has not consumed. At the first limit the peer is paused; at
/// the second, which is reached only if the driver ignores the pause, the connection is closed.
inline constexpr std::size_t devices_unread_bytes_pause = 256u << 10;
inline constexpr std::size_t devices_unread_bytes_max = 8u << 20;

/// Questions from peers that await the application's answer; the oldest is evicted first.
inline constexpr std::uint32_t devices_questions_max = 4'096;

/// Changes of the directory and of connections queued for the application.
inline constexpr std::size_t devices_notices_max = 16'384;

/// Bytes of received datagrams with struct messages queued for the application, and of messages queued for the socket.
inline constexpr std::size_t struct_queue_bytes = 4u << 20;

static_assert(train_segments_always <= train_segments_max && load_batch_without_gso <= train_segments_max);
static_assert(devices_frame_bytes_max <= stream_write_bytes_max);
static_assert(devices_frame_bytes_max <= devices_queue_bytes && devices_frame_bytes_max <= devices_unread_bytes_pause);
static_assert(devices_unread_bytes_pause < devices_unread_bytes_max);
static_assert(devices_name_bytes_max + 4 <= devices_compatible_frame_bytes_max);
static_assert((devices_sources_max & (devices_sources_max - 1)) == 0);
static_assert((devices_questions_max & (devices_questions_max - 1)) == 0);
static_assert(streams_max >= devices_names_max + devices_unnamed_max);
static_assert(struct_queue_bytes >= 16 * datagram_bytes_max);
static_assert((load_window_sequences & (load_window_sequences - 1)) == 0 && load_window_sequences % 64 == 0);
static_assert((load_narrow_window_sequences & (load_narrow_window_sequences - 1)) == 0 &&
              load_narrow_window_sequences % 64 == 0 && load_narrow_window_sequences > train_segments_max + 64);
static_assert(load_wide_windows <= load_streams_max && load_narrow_window_sequences <= load_window_sequences);
static_assert((probe_keys_max & (probe_keys_max - 1)) == 0);
static_assert(payload_fields_max < 1u << 15 && payload_fields_max <= payloads_fields_max &&
              payloads_fields_max <= UINT32_MAX);
static_assert(payloads_bytes_max >= datagram_bytes_max && payloads_bytes_max <= UINT32_MAX);
static_assert(scenario_rows_max <= scenario_steps_max && scenario_steps_max <= UINT16_MAX);
static_assert(scenario_variable_bytes_max <= UINT8_MAX && scenario_variables_max <= UINT8_MAX);
static_assert((beacon_sources_max & (beacon_sources_max - 1)) == 0);
static_assert((load_streams_max & (load_streams_max - 1)) == 0);
static_assert((load_senders_max & (load_senders_max - 1)) == 0);
static_assert((load_answers_owed_max & (load_answers_owed_max - 1)) == 0);
static_assert((probes_in_flight_max & (probes_in_flight_max - 1)) == 0);
static_assert(beacon_queue_bytes >= 16 * datagram_bytes_max);
static_assert(echo_queue_bytes >= 16 * datagram_bytes_max);
static_assert((relay_clients_max & (relay_clients_max - 1)) == 0);
static_assert((relay_held_max & (relay_held_max - 1)) == 0);
static_assert(relay_held_bytes >= 16 * datagram_bytes_max);
static_assert((confirmed_peers_max & (confirmed_peers_max - 1)) == 0);
static_assert((confirmed_replies_max & (confirmed_replies_max - 1)) == 0);
static_assert(confirmed_sends_per_peer_max <= confirmed_sends_max);
static_assert(confirmed_event_bytes >= 16 * datagram_bytes_max);

}  // namespace ringpost::limits
