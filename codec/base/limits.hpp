#pragma once

// Every capacity in one place, with the relations they must keep. A limit that is reached is an answer and a
// counter, never an abort and never silence.

#include <cstddef>
#include <cstdint>

namespace ringpost::limits {

/// Largest UDP payload over IPv4: 65,535 - 20 (RFC 791) - 8 (RFC 768). Also the most a GSO train may total.
inline constexpr std::size_t datagram_bytes_max = 65'507;

/// Bytes of one encoded histogram: 40 of head, and up to 9 for the count of every bucket that a 63-bit value can have.
inline constexpr std::size_t histogram_encoded_bytes_max = 40 + 9 * 55'296;

/// Most equal segments one Transmit may hold. Linux took 64 (UDP_MAX_SEGMENTS) until 6.11 and takes 128 since; the
/// engine cuts a longer train to what the running kernel takes.
inline constexpr std::size_t train_segments_max = 128;

/// What every kernel with GSO takes, for when the running one cannot be asked.
inline constexpr std::size_t train_segments_always = 64;

/// Datagrams a load source fills at once when they leave one by one.
inline constexpr std::size_t load_batch_without_gso = 16;

/// Buffers an engine lends to poll_transmit, each of datagram_bytes_max: so many trains may be on their way at once.
inline constexpr std::size_t transmit_buffers_max = 16;

/// Sources whose datagrams a beacon counts; the least recently heard is forgotten first.
inline constexpr std::uint32_t beacon_sources_max = 65'536;

/// Bytes of heard beacons that wait for the application between two turns.
inline constexpr std::size_t beacon_queue_bytes = 4u << 20;

/// Addresses one beacon sends to.
inline constexpr std::size_t beacon_targets_max = 256;

/// Streams (sender, flow) whose sequences one sink follows at once; the least recently heard is forgotten first.
inline constexpr std::uint32_t load_streams_max = 1'024;

/// Flows of one load source, a socket each. All of them fit into one sink.
inline constexpr std::uint32_t load_flows_max = load_streams_max;

/// Sequences behind the newest within which a late datagram is told apart from a duplicate: what is sent in the time
/// that gtUDP takes to send a lost message again, at several million a second.
inline constexpr std::uint64_t load_window_sequences = 262'144;

/// Sizes in one list of sizes that a load source mixes.
inline constexpr std::size_t load_sizes_max = 64;

/// Answers that an answering sink owes while the socket does not take them.
inline constexpr std::uint32_t load_answers_owed_max = 65'536;

/// Probes whose times a prober remembers. One that so many later ones have left behind is given up.
inline constexpr std::uint32_t probes_in_flight_max = 65'536;

/// Probes whose replies are told apart by what they carry: the newest. A reply that takes longer is a stranger's.
inline constexpr std::uint32_t probe_keys_max = 262'144;

/// Payloads that one prober sends in turn, the fields in each, and the bytes of all.
inline constexpr std::size_t payloads_max = 65'536;
inline constexpr std::size_t payload_fields_max = 256;
inline constexpr std::size_t payloads_bytes_max = 64u << 20;

/// Bytes of replies an echo endpoint keeps while the socket does not take them.
inline constexpr std::size_t echo_queue_bytes = 4u << 20;

/// Clients of one relay, a socket each: half of what a process may have open where nobody has raised it. The least
/// recently heard is forgotten first.
inline constexpr std::uint32_t relay_clients_max = 512;

/// Bytes and datagrams that a relay holds until their delay is over, both directions together. The bytes are kept in
/// chunks of 64.
inline constexpr std::size_t relay_held_bytes = 64u << 20;
inline constexpr std::uint32_t relay_held_max = 262'144;

/// How long a datagram may wait for its turn on a relay's link of a limited rate.
inline constexpr std::int64_t relay_queue_ns_max = 100'000'000;

/// The most one write of a stream carries.
inline constexpr std::size_t stream_write_bytes_max = 256u << 10;

/// Streams one endpoint has at once.
inline constexpr std::uint32_t streams_max = 8'192;

/// The longest datagram of a confirmed message that is sent unless told otherwise: the first program of the format
/// reads no more.
inline constexpr std::size_t confirmed_bytes_max = 1'024;

/// Objects and arrays inside one another in a confirmed message, the frame's own object included.
inline constexpr std::size_t confirmed_depth_max = 16;

/// Confirmed messages that wait to be sent or to be answered, to all peers and to each, and the peers they wait for.
inline constexpr std::uint32_t confirmed_sends_max = 4'096;
inline constexpr std::uint32_t confirmed_sends_per_peer_max = 1'024;
inline constexpr std::uint32_t confirmed_peers_max = 1'024;

/// Confirmations that wait to leave.
inline constexpr std::uint32_t confirmed_replies_max = 1'024;

/// What received confirmed messages that wait for the application may take.
inline constexpr std::size_t confirmed_event_bytes = 4u << 20;

/// An advert of a named device, which is `alive:,:` (8 bytes) and its name.
inline constexpr std::size_t devices_advert_bytes_max = 256;
inline constexpr std::size_t devices_name_bytes_max = devices_advert_bytes_max - 8;

/// A frame between devices with its terminator: what one of ours takes, and what the format's first program does.
inline constexpr std::size_t devices_frame_bytes_max = 64u << 10;
inline constexpr std::size_t devices_compatible_frame_bytes_max = 512;

/// Names in one directory.
inline constexpr std::uint32_t devices_names_max = 4'096;

/// Links one device announces itself on, and addresses beside them.
inline constexpr std::uint32_t devices_interfaces_max = 64;
inline constexpr std::size_t devices_seeds_max = 64;

/// Adverts that wait to leave: a round to everybody, and as many unicast ones.
inline constexpr std::size_t devices_adverts_queued_max =
    std::size_t{2} * devices_interfaces_max * (1 + devices_seeds_max);

/// Addresses whose adverts and connections are held to a rate; the least recently heard is forgotten first.
inline constexpr std::uint32_t devices_sources_max = 4'096;

/// Connections accepted whose peer has not said its name yet.
inline constexpr std::uint32_t devices_unnamed_max = 1'024;

/// Bytes that wait in one connection for a slow peer.
inline constexpr std::size_t devices_queue_bytes = 1u << 20;

/// Bytes received and not yet taken by the application, for one connection: from the first on its peer is held back; at
/// the second, which no driver reaches that heeds it, the connection is broken off.
inline constexpr std::size_t devices_unread_bytes_pause = 256u << 10;
inline constexpr std::size_t devices_unread_bytes_max = 8u << 20;

/// Asks that have not been told to the application as ended, the questions in them, and the bytes of their answers.
inline constexpr std::uint32_t devices_asks_max = 4'096;
inline constexpr std::size_t devices_asked_max = 65'536;
inline constexpr std::size_t devices_answer_bytes_max = 64u << 20;

/// Questions of others that wait for the application's answer; the oldest is forgotten first.
inline constexpr std::uint32_t devices_questions_max = 4'096;

/// Changes of the directory and of connections that wait for the application.
inline constexpr std::size_t devices_notices_max = 16'384;

/// The most a struct message's payload has: its size field counts 65,535 bytes, 7 of them the header's.
inline constexpr std::size_t struct_payload_bytes_max = 65'528;

/// Runs of equal codes in one struct format.
inline constexpr std::size_t struct_runs_max = 256;

/// Members of an aggregate that a struct message is packed from or unpacked to.
inline constexpr std::size_t struct_members_max = 16;

/// Messages in one struct library.
inline constexpr std::size_t struct_messages_max = 4'096;

/// Bytes of datagrams with struct messages that wait for the application between two turns, and of messages that wait
/// for the socket.
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
static_assert((probe_keys_max & (probe_keys_max - 1)) == 0);
static_assert(payload_fields_max <= UINT16_MAX && payloads_max * payload_fields_max <= UINT32_MAX);
static_assert(payloads_bytes_max >= datagram_bytes_max && payloads_bytes_max <= UINT32_MAX);
static_assert((beacon_sources_max & (beacon_sources_max - 1)) == 0);
static_assert((load_streams_max & (load_streams_max - 1)) == 0);
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
