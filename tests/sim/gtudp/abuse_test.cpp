// A gtUDP endpoint and a malicious probe, which spoofs addresses and sends more than a legitimate peer.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/gtudp/duo.hpp"

namespace ringpost::sim {
namespace {

using gtudp::Kind;

constexpr std::size_t headers = 20 + 8;  // IPv4 and UDP

std::size_t bytes_to_probe(const Duel& duel) {
    std::size_t bytes = 0;
    for (const Probe::Received& received : duel.probe.received) bytes += received.bytes.size() + headers;
    return bytes;
}

// Sockets from here on are spoofed and never answer. Those below are legitimate.
constexpr SocketIndex spoofed = 1'000;

// ---- reflection -----------------------------------------------------------------------------------

TEST(GtudpAbuse, an_empty_spoofed_message_causes_three_recvs_at_most) {
    Duel duel(small_options(1));
    duel.send_frame(0, Kind::data, 77);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(bytes_to_probe(duel), 3 * (5 + headers));
    EXPECT_EQ(duel.endpoint.counters().recv_sent, 3u);
    EXPECT_EQ(duel.endpoint.counters().recv_gave_up, 1u);
    EXPECT_GT(duel.endpoint.counters().recv_withheld, 0u);
}

TEST(GtudpAbuse, replies_to_spoofed_sources_are_limited_to_three_times_the_bytes) {
    Duel duel(small_options(1));
    std::size_t spent = 0;
    for (gtudp::Identity i = 0; i < 200; ++i) {
        const std::string text(i % 7, 'x');
        duel.send_frame(i * 50 * millisecond, Kind::data, i / 3, text);  // new messages and repetitions
        spent += 5 + text.size() + headers;
    }
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_LE(bytes_to_probe(duel), 3 * spent);
    EXPECT_GT(bytes_to_probe(duel), spent) << "a legitimate peer would have been answered";
}

// The sender of a DATA knows the identity of its RECV without receiving it.
TEST(GtudpAbuse, a_source_that_acknowledges_blindly_is_limited_as_well) {
    Duel duel(small_options(1));
    for (gtudp::Identity i = 0; i < 50; ++i) {
        duel.send_frame(i * 200 * millisecond, Kind::data, i);
        duel.send_frame(i * 200 * millisecond + 50 * millisecond, Kind::ack, i);
    }
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_LE(bytes_to_probe(duel), 3u * 100 * (5 + headers));
    for (gtudp::Identity i = 50; i < 60; ++i) duel.send_frame(duel.network.now(), Kind::data, i);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_LE(bytes_to_probe(duel), 3u * 110 * (5 + headers));
}

// ---- RECVs of unknown exchanges -------------------------------------------------------------------

// `addresses` unknown peers together send 1,000 RECVs a second for five seconds.
std::size_t answers_to_flood(SocketIndex addresses) {
    gtudp::Options options = small_options(1);
    options.unknown_acks_per_s = 100;
    Duel duel(options);
    for (gtudp::Identity i = 0; i < 5'000; ++i)
        duel.send_frame(i * millisecond, Kind::recv, i, "", spoofed + i % addresses);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    const gtudp::Counters counts = duel.endpoint.counters();
    EXPECT_EQ(counts.recv_unknown, 5'000u);
    EXPECT_EQ(counts.ack_unknown_sent + counts.ack_withheld, 5'000u);
    EXPECT_EQ(counts.ack_unknown_sent, duel.probe.received.size());
    return duel.probe.received.size();
}

// The credit of five seconds, plus that of one second saved before.
TEST(GtudpAbuse, acks_to_unknown_peers_are_limited_per_second) {
    for (const SocketIndex addresses : {1u, 10u, 2'000u}) {
        const std::size_t answers = answers_to_flood(addresses);
        EXPECT_LE(answers, 100u * 5 + 100 + 1) << addresses;
        EXPECT_GE(answers, 100u * 5) << addresses;
    }
}

// The peer has confirmed something, our ACK was lost, and it repeats its RECV.
TEST(GtudpAbuse, a_verified_peer_gets_its_ack_during_a_flood_of_recvs) {
    gtudp::Options options = small_options(1);
    options.unknown_acks_per_s = 100;
    Duel duel(options);
    const auto id = duel.send(Duel::probe_at(0), "hello");
    duel.send_frame(10 * millisecond, Kind::recv, id.identity);
    for (gtudp::Identity i = 0; i < 5'000; ++i)
        duel.send_frame(i * millisecond, Kind::recv, i, "", spoofed + i % 2'000);
    constexpr Instant again = 3 * second + 500 * microsecond;
    duel.send_frame(again, Kind::recv, id.identity);
    EXPECT_EQ(duel.network.run(), Outcome::idle);
    EXPECT_EQ(duel.acks(0), (std::vector<Instant>{10 * millisecond + Duel::delay, again + Duel::delay}));
}

// ---- floods of DATA -------------------------------------------------------------------------------

constexpr gtudp::Identity honest_messages = 20;

// Legitimate socket 0 sends some messages and acknowledges them. Then `addresses` spoofed addresses send one DATA each,
// one a millisecond. Returns after the last.
Instant flood(Duel& duel, SocketIndex addresses, std::string_view text) {
    for (gtudp::Identity i = 0; i < honest_messages; ++i) {
        duel.send_frame(i * millisecond, Kind::data, i, "honest");
        duel.send_frame(i * millisecond + 100 * millisecond, Kind::ack, i);
    }
    for (SocketIndex i = 0; i < addresses; ++i)
        duel.send_frame(second + i * millisecond, Kind::data, i, text, spoofed + i);
    return second + addresses * millisecond;
}

std::size_t delivered_from(const Duel& duel, SocketIndex socket) {
    std::size_t count = 0;
    for (const Duel::Message& message : duel.messages) count += message.from == Duel::probe_at(socket);
    return count;
}

// Acknowledging blindly does not keep others out: each address costs two frames and would hold its place for 30 s.
TEST(GtudpAbuse, a_flood_of_sources_that_acknowledge_does_not_lock_out_new_peers) {
    for (const bool one_unacknowledged : {false, true}) {
        gtudp::Options options = small_options(1);
        Duel duel(options);
        for (SocketIndex i = 0; i < 5'000; ++i) {
            duel.send_frame(i * millisecond, Kind::data, i, "", spoofed + i);
            duel.send_frame(i * millisecond + 200 * microsecond, Kind::ack, i, "", spoofed + i);
            if (one_unacknowledged)
                duel.send_frame(i * millisecond + 400 * microsecond, Kind::data, ~i, "", spoofed + i);
        }
        const Instant comes = 2 * second + 1;
        for (const Duration later : {0, 1, 2}) duel.send_frame(comes + later * second, Kind::data, 7, "let me in", 1);
        EXPECT_EQ(duel.network.run_until(comes + 5 * second), Outcome::at_end);
        EXPECT_GE(delivered_from(duel, 1), 1u) << one_unacknowledged;
    }
}

// Exchanges of a legitimate peer are not evicted: late copies are not delivered again.
TEST(GtudpAbuse, a_flood_of_spoofed_sources_does_not_evict_a_verified_peer) {
    for (const SocketIndex addresses : {200u, 1'000u, 10'000u}) {
        gtudp::Options options = small_options(1);
        options.peers_max = 1'024;
        Duel duel(options);
        const Instant over = flood(duel, addresses, "");
        for (gtudp::Identity i = 0; i < honest_messages; ++i) duel.send_frame(over + i, Kind::data, i, "honest");
        EXPECT_EQ(duel.network.run_until(over + second), Outcome::at_end);
        EXPECT_EQ(delivered_from(duel, 0), honest_messages) << addresses << " addresses";
    }
}

// The same if peers run out first.
TEST(GtudpAbuse, a_flood_of_spoofed_peers_does_not_evict_a_verified_one) {
    gtudp::Options options = small_options(1);
    options.peers_max = 64;
    Duel duel(options);
    const Instant over = flood(duel, 10'000, "");
    for (gtudp::Identity i = 0; i < honest_messages; ++i) duel.send_frame(over + i, Kind::data, i, "honest");
    EXPECT_EQ(duel.network.run_until(over + second), Outcome::at_end);
    EXPECT_EQ(delivered_from(duel, 0), honest_messages);
}

// A legitimate new peer is served during the flood, within the six sends of a DATA.
TEST(GtudpAbuse, a_flood_of_spoofed_sources_does_not_lock_out_new_peers) {
    for (const std::uint32_t peers_max : {64u, 1'024u}) {
        gtudp::Options options = small_options(1);
        options.peers_max = peers_max;
        Duel duel(options);
        flood(duel, 25'000, "");
        const Instant comes = 5 * second + 1;
        for (const Duration later : {0, 1, 2, 4, 8, 14})
            duel.send_frame(comes + later * second, Kind::data, 7, "let me in", 1);
        EXPECT_EQ(duel.network.run_until(comes + 15 * second), Outcome::at_end);
        EXPECT_GE(delivered_from(duel, 1), 1u) << peers_max << " peers";
    }
}

// The endpoint's own application can still send to any address.
TEST(GtudpAbuse, a_flood_of_spoofed_sources_does_not_stop_our_own_sends) {
    gtudp::Options options = small_options(1);
    options.peers_max = 64;
    Duel duel(options);
    const Instant over = flood(duel, 1'000, "");
    EXPECT_EQ(duel.network.run_until(over), Outcome::at_end);
    const auto answer = duel.endpoint.send(duel.network.now(), Duel::probe_at(2), bytes_of("hello"));
    EXPECT_TRUE(answer.has_value());
}

}  // namespace
}  // namespace ringpost::sim
