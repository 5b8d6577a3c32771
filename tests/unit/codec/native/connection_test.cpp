#include "codec/native/connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ringpost/datagram.hpp>

#include "tests/unit/codec/native/frame_samples.hpp"

namespace ringpost::native {
namespace {

crypto::PacketKey insecure_key() { return {crypto::Suite::insecure, crypto::Key{}}; }

/// A connection whose peer is the test: packets are written and read by hand.
struct Lone {
    explicit Lone(const ConnectionOptions& options = {}, const PeerOptions& peer = {})
        : connection(0, options, peer, insecure_key(), insecure_key()) {}

    /// A packet with these frames arrives.
    void arrive(const Bytes& frames) { arrive(next++, frames); }
    void arrive(std::uint64_t number, const Bytes& frames) {
        crypto::PacketKey key = insecure_key();
        packet.assign(short_header_bytes + frames.size() + key.tag_bytes(), std::byte{0});
        write_short_header(packet.data(), {{}, static_cast<std::uint32_t>(number), false, 0});
        std::ranges::copy(frames, packet.begin() + short_header_bytes);
        key.seal(packet, short_header_bytes, number);
        connection.handle(now, packet);
    }
    void arrive(const char* hex) { arrive(from_hex(hex)); }

    /// The frames of the next packet; empty: there is none. A train is cut.
    std::vector<Frame> leave() {
        buffer.assign(limits::datagram_bytes_max, std::byte{0});
        const auto train = connection.poll_transmit(now, buffer);
        std::vector<Frame> frames;
        if (!train) return frames;
        segments = segment_count(train->bytes, train->segment_bytes);
        const std::span<std::byte> first = std::span(buffer).first(train->segment_bytes);
        const auto header = parse_short_header(first);
        EXPECT_TRUE(header.has_value());
        crypto::PacketKey key = insecure_key();
        EXPECT_TRUE(key.open(first, short_header_bytes, header->number));
        last_number = header->number;
        std::span<const std::byte> rest =
            first.subspan(short_header_bytes, first.size() - short_header_bytes - key.tag_bytes());
        while (!rest.empty()) frames.push_back(*take_frame(rest));
        return frames;
    }
    std::optional<CloseOutcome> closed() {
        while (const auto event = connection.poll_event())
            if (event->kind == Event::Kind::closed) return event->outcome;
        return std::nullopt;
    }
    SendResult send(std::size_t bytes, std::uint32_t channel = 0) {
        return connection.send(channel, std::vector<std::byte>(bytes));
    }
    void wait(Duration time) {
        now += time;
        connection.handle_timeout(now);
    }

    Connection connection;
    Instant now = 0;
    std::uint64_t next = 0, last_number = 0;
    std::size_t segments = 0;
    Bytes packet, buffer;
};

template <class T>
bool has_frame(const std::vector<Frame>& frames) {
    return std::ranges::any_of(frames, [](const Frame& frame) { return std::holds_alternative<T>(frame); });
}

TEST(NativeConnection, what_send_answers) {
    ConnectionOptions options;
    options.send_log_bytes = 4'096;
    Lone lone(options);
    EXPECT_EQ(lone.send(10, 8), SendResult::unknown_channel);
    EXPECT_EQ(lone.send(5'000), SendResult::too_large);
    EXPECT_EQ(lone.send(4'000), SendResult::queued);
    EXPECT_EQ(lone.send(4'000), SendResult::would_block);
    EXPECT_FALSE(lone.connection.poll_event().has_value());
    lone.leave();
    lone.now += 20 * millisecond;
    lone.arrive("03 02000000 0000 01 03");
    const auto event = lone.connection.poll_event();
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind, Event::Kind::writable);
    EXPECT_EQ(lone.send(4'000), SendResult::queued);
    lone.connection.close(lone.now, lone.now + second);
    EXPECT_EQ(lone.send(1), SendResult::closed);
}

TEST(NativeConnection, trains_of_equal_packets) {
    Lone lone;
    for (int i = 0; i < 400; ++i) lone.send(64);
    const auto frames = lone.leave();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(std::get<MessagesFrame>(frames[0]).run.count, 22u);
    EXPECT_EQ(lone.segments, 10u) << "the initial window";
    EXPECT_TRUE(lone.leave().empty());
}

TEST(NativeConnection, acknowledges_the_second_packet_or_in_time) {
    Lone lone;
    lone.arrive("40 00 00000000 01 01 61");
    EXPECT_TRUE(lone.leave().empty());
    EXPECT_EQ(lone.connection.poll_timeout(), 25 * millisecond);
    lone.arrive("40 00 01000000 01 01 62");
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave()));
    EXPECT_TRUE(lone.leave().empty()) << "once";
    lone.arrive("40 00 02000000 01 01 63");
    lone.wait(24 * millisecond);
    EXPECT_TRUE(lone.leave().empty());
    lone.wait(millisecond);
    const auto frames = lone.leave();
    ASSERT_TRUE(has_frame<AckFrame>(frames));
    EXPECT_EQ(std::get<AckFrame>(frames[0]).largest, 2u);
    EXPECT_EQ(std::get<AckFrame>(frames[0]).delay, 25 * millisecond);
}

// An acknowledgement that waited in the socket while this process was stopped is handled before any timer.
TEST(NativeConnection, the_time_in_which_the_process_was_stopped_is_no_round_trip) {
    Lone lone;
    lone.send(100);
    ASSERT_FALSE(lone.leave().empty());
    lone.now += 6 * second;
    lone.arrive("03 00000000 0000 01 01");  // of packet 0
    EXPECT_TRUE(lone.connection.all_acknowledged());
    EXPECT_EQ(lone.connection.path().rtt_min, 0);
}

TEST(NativeConnection, acknowledges_at_once) {
    for (const char* hex : {"01", "02"}) {
        Lone lone;
        lone.arrive(hex);
        EXPECT_TRUE(has_frame<AckFrame>(lone.leave())) << hex;
    }
    Lone lone;
    lone.next = 1;
    lone.arrive("40 00 00000000 01 01 61");
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave())) << "a gap";
    lone.arrive(0, from_hex("05 00 00"));
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave())) << "it is filled";
    lone.arrive("03 00000000 0000 01 01");
    EXPECT_TRUE(lone.leave().empty()) << "an acknowledgement asks for nothing";
    EXPECT_EQ(lone.connection.poll_timeout(), 15 * second) << "and nothing is outstanding";
}

TEST(NativeConnection, a_batch_gets_one_acknowledgement) {
    Lone lone;
    for (int i = 0; i < 10; ++i) lone.arrive("01");
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave()));
    EXPECT_TRUE(lone.leave().empty());
}

TEST(NativeConnection, the_peer_chooses_how_often) {
    Lone lone;
    lone.arrive("0d 01 0400 e80300 0100");  // 4 packets, 1 ms
    lone.arrive("0d 00 0100 e80300 0100");  // older: ignored
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave()) || true);
    lone.wait(millisecond);
    lone.leave();
    for (int i = 0; i < 3; ++i) lone.arrive("05 00 00");
    EXPECT_TRUE(lone.leave().empty());
    EXPECT_EQ(lone.connection.poll_timeout(), lone.now + millisecond);
    lone.arrive("05 00 00");
    EXPECT_TRUE(has_frame<AckFrame>(lone.leave()));
}

TEST(NativeConnection, what_is_dropped_is_counted) {
    Lone lone;
    const Statistics& counts = lone.connection.statistics();
    lone.arrive(5, from_hex("01"));
    lone.arrive(5, from_hex("01"));
    EXPECT_EQ(counts.dropped_duplicate, 1u);
    Bytes bytes = from_hex("40 00 000000000000 09000000 00000000");
    lone.connection.handle(0, bytes);
    EXPECT_EQ(counts.dropped_forged, 1u);
    bytes.resize(3);
    lone.connection.handle(0, bytes);
    lone.connection.handle(0, {});
    EXPECT_EQ(counts.dropped_foreign, 2u);
    lone.arrive(100'000, from_hex("01"));
    lone.arrive(6, from_hex("01"));
    EXPECT_EQ(counts.dropped_too_old, 1u);
    EXPECT_EQ(counts.packets_received, 2u);
}

TEST(NativeConnection, faults_of_the_peer_close_it) {
    const auto code_after = [](const char* hex) {
        Lone lone;
        for (int i = 0; i < 3; ++i) {
            lone.send(10);
            lone.leave();
        }
        lone.arrive(hex);
        const auto closed = lone.closed();
        EXPECT_TRUE(closed.has_value()) << hex;
        EXPECT_TRUE(has_frame<CloseFrame>(lone.leave())) << hex;
        EXPECT_EQ(closed->unconfirmed, 3u);
        return closed->code;
    };
    EXPECT_EQ(code_after("60"), CloseCode::malformed);
    EXPECT_EQ(code_after("40 00 00000000 02 01 61"), CloseCode::malformed);
    EXPECT_EQ(code_after("03 03000000 0000 01 01"), CloseCode::acknowledgement) << "of what was not sent";
    EXPECT_EQ(code_after("03 02000000 0000 01 04"), CloseCode::acknowledgement) << "below zero";
    EXPECT_EQ(code_after("40 08 00000000 01 01 61"), CloseCode::unknown_channel);
    EXPECT_EQ(code_after("48 00 00000000 00000080 00000000 0100 61"), CloseCode::flow_control);
}

TEST(NativeConnection, acknowledgements_of_skipped_numbers_close_it) {
    Lone lone;
    std::uint64_t expected = 0;
    for (int i = 0; i < 20'000; ++i) {
        lone.send(1);
        lone.now += 20 * millisecond;
        if (lone.leave().empty()) continue;
        if (lone.last_number != expected) break;
        ++expected;
        std::byte ack[20];
        FrameWriter writer(ack);
        const recovery::PacketRange range{lone.last_number, lone.last_number};
        writer.ack(std::span(&range, 1), 0);
        lone.arrive(Bytes(ack, ack + writer.bytes()));
        lone.closed();
    }
    EXPECT_EQ(lone.last_number, expected + 1) << "one number was left out";
    std::byte ack[20];
    FrameWriter writer(ack);
    const recovery::PacketRange range{expected, lone.last_number};
    writer.ack(std::span(&range, 1), 0);
    lone.arrive(Bytes(ack, ack + writer.bytes()));
    EXPECT_EQ(lone.closed().value_or(CloseOutcome{}).code, CloseCode::acknowledgement);
}

TEST(NativeConnection, events_survive_their_packet_when_retained) {
    Lone kept;
    kept.arrive("40 00 00000000 02 01 61 02 6262");
    kept.connection.retain();
    kept.arrive("40 01 00000000 01 01 7a");
    kept.connection.retain();
    std::ranges::fill(kept.packet, std::byte{0xee});
    std::string all;
    while (const auto event = kept.connection.poll_event())
        event->run.for_each([&](std::span<const std::byte> message) {
            all += std::string(reinterpret_cast<const char*>(message.data()), message.size()) + ",";
        });
    EXPECT_EQ(all, "a,bb,z,");
}

TEST(NativeConnection, a_probe_repeats_what_is_outstanding) {
    Lone lone;
    lone.send(10);
    lone.leave();
    lone.now = lone.connection.poll_timeout();
    lone.connection.handle_timeout(lone.now);
    EXPECT_TRUE(has_frame<MessagesFrame>(lone.leave()));
    EXPECT_EQ(lone.segments, 2u) << "the second one is a ping";
    EXPECT_TRUE(lone.leave().empty());
    EXPECT_EQ(lone.connection.statistics().probes_sent, 2u);
}

TEST(NativeConnection, limits_are_offered_by_halves) {
    ConnectionOptions options;
    options.channel_window = 1'000;
    options.connection_window = 1'000;
    options.message_bytes_max = 500;
    Lone lone(options);
    const Bytes message = [] {
        Bytes bytes = from_hex("40 00 00000000 01 64");
        bytes.insert(bytes.end(), 100, std::byte{7});
        return bytes;
    }();
    for (std::uint8_t i = 0; i < 5; ++i) {
        Bytes next = message;
        next[2] = std::byte{i};
        lone.arrive(next);
        lone.closed();
        const auto frames = lone.leave();
        EXPECT_EQ(has_frame<WindowFrame>(frames), i == 4) << int{i};
        if (i < 4) continue;
        std::uint64_t limit = 0;
        for (const Frame& frame : frames)
            if (const auto* window = std::get_if<WindowFrame>(&frame)) limit = window->limit;
        EXPECT_EQ(limit, 1'000u + 5 * 116);
    }
}

}  // namespace
}  // namespace ringpost::native
