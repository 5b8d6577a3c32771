#include "codec/structs/endpoint.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/helpers.hpp"

namespace ringpost::structs {
namespace {

const Address alice = Address::v4(10, 0, 0, 1, 4'000);
const Address bob = Address::v4(10, 0, 0, 2, 4'000);

Library library_of_three() {
    Library library;
    EXPECT_TRUE(library.add(22, "number", "i"));
    EXPECT_TRUE(library.add(23, "pair", "<HH"));
    EXPECT_TRUE(library.add(24, "empty", ""));
    return library;
}

Bytes packet_of(MessageId id, const Bytes& payload) {
    Bytes out(header_bytes + payload.size());
    encode({id, payload}, out);
    return out;
}

Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

// An event with a copy of the payload.
struct Reported {
    Event event;
    Bytes payload;
};

std::vector<Reported> events_of(Endpoint& endpoint) {
    std::vector<Reported> out;
    while (const auto event = endpoint.poll_event())
        out.push_back({*event, {event->payload.begin(), event->payload.end()}});
    return out;
}

TEST(StructsEndpoint, reports_every_packet_of_a_datagram_in_order) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    const Bytes four = bytes_from_hex("07000000");
    endpoint.handle(1, {alice, 0, joined({packet_of(22, four), bytes_of("garbage"), packet_of(24, {})})});
    endpoint.handle(1, {bob, 0, packet_of(23, four)});
    const auto reported = events_of(endpoint);
    ASSERT_EQ(reported.size(), 3u);
    EXPECT_EQ(reported[0].event.kind, Event::Kind::message);
    EXPECT_EQ(reported[0].event.definition, library.find("number"));
    EXPECT_EQ(reported[0].event.source, alice);
    EXPECT_EQ(reported[0].payload, four);
    EXPECT_EQ(reported[1].event.id, 24);
    EXPECT_EQ(reported[1].event.offset, 11u + 7u);
    EXPECT_EQ(reported[2].event.source, bob);
    EXPECT_EQ(reported[2].event.definition->name, "pair");
    EXPECT_EQ(endpoint.counters().messages, 3u);
    EXPECT_EQ(endpoint.counters().received, 2u);
    EXPECT_EQ(endpoint.counters().skipped_bytes, 7u);
    EXPECT_EQ(endpoint.counters().without_packet, 0u);
    EXPECT_FALSE(endpoint.poll_timeout());
}

TEST(StructsEndpoint, valid_packets_that_are_not_in_the_library) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    endpoint.handle(1, {alice, 0, joined({packet_of(99, Bytes(4)), packet_of(22, Bytes(5)), packet_of(22, Bytes(4))})});
    const auto reported = events_of(endpoint);
    ASSERT_EQ(reported.size(), 3u);
    EXPECT_EQ(reported[0].event.kind, Event::Kind::unknown_id);
    EXPECT_EQ(reported[0].event.id, 99);
    EXPECT_EQ(reported[0].event.definition, nullptr);
    EXPECT_EQ(reported[1].event.kind, Event::Kind::wrong_size);
    EXPECT_EQ(reported[1].event.definition->name, "number");
    EXPECT_EQ(reported[1].payload.size(), 5u);
    EXPECT_EQ(reported[1].event.offset, 11u);
    EXPECT_EQ(reported[2].event.kind, Event::Kind::message);
    EXPECT_EQ(endpoint.counters().unknown_id, 1u);
    EXPECT_EQ(endpoint.counters().wrong_size, 1u);
    EXPECT_EQ(endpoint.counters().messages, 1u);
}

TEST(StructsEndpoint, damage_is_one_event_up_to_the_next_packet) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    Bytes broken = packet_of(22, Bytes(4));
    broken[6] ^= std::byte{1};
    const Bytes small = bytes_from_hex("ffff1600030000"), good = packet_of(22, Bytes(4));
    endpoint.handle(1, {alice, 0, joined({bytes_of("x"), broken, small, good, bytes_from_hex("ffffff")})});
    const auto reported = events_of(endpoint);
    ASSERT_EQ(reported.size(), 3u);
    EXPECT_EQ(reported[0].event.kind, Event::Kind::damage);
    EXPECT_EQ(reported[0].event.error, FrameError::checksum) << "of the first";
    EXPECT_EQ(reported[0].event.offset, 1u);
    EXPECT_EQ(reported[0].event.failures, 2u);
    EXPECT_EQ(reported[0].event.source, alice);
    EXPECT_EQ(reported[1].event.kind, Event::Kind::message);
    EXPECT_EQ(reported[1].event.offset, 19u);
    EXPECT_EQ(reported[2].event.error, FrameError::past_end);
    EXPECT_EQ(reported[2].event.failures, 2u);
    const Counters& counts = endpoint.counters();
    EXPECT_EQ(counts.checksum, 1u);
    EXPECT_EQ(counts.size_small, 1u);
    EXPECT_EQ(counts.past_end, 2u);
    EXPECT_EQ(counts.skipped_bytes, 1u + 11u + 7u + 3u);
}

TEST(StructsEndpoint, a_datagram_full_of_magics_is_one_event) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    endpoint.handle(1, {alice, 0, Bytes(limits::datagram_bytes_max, std::byte{0xff})});
    const auto reported = events_of(endpoint);
    ASSERT_EQ(reported.size(), 1u);
    EXPECT_EQ(reported[0].event.failures, limits::datagram_bytes_max - 1);
    EXPECT_EQ(endpoint.counters().past_end + endpoint.counters().checksum, limits::datagram_bytes_max - 1);
    EXPECT_EQ(endpoint.counters().without_packet, 1u);
}

TEST(StructsEndpoint, a_datagram_without_packets_is_counted) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    for (const char* text : {"", "x", "nothing at all", "\xff"}) endpoint.handle(1, {alice, 0, bytes_of(text)});
    EXPECT_TRUE(events_of(endpoint).empty());
    EXPECT_EQ(endpoint.counters().without_packet, 4u);
    EXPECT_EQ(endpoint.counters().skipped_bytes, 16u);
}

TEST(StructsEndpoint, a_payload_is_valid_until_the_next_call) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    const auto receive = [&](std::string_view text) { endpoint.handle(1, {alice, 0, packet_of(22, bytes_of(text))}); };
    receive("1st ");
    receive("2nd ");
    const auto shown = [&] {
        const auto event = endpoint.poll_event();
        return event ? std::string(reinterpret_cast<const char*>(event->payload.data()), event->payload.size()) : "";
    };
    EXPECT_EQ(shown(), "1st ");
    receive("3rd ");
    EXPECT_EQ(shown(), "2nd ");
    EXPECT_EQ(shown(), "3rd ");
    EXPECT_EQ(shown(), "");
    EXPECT_EQ(shown(), "");
}

TEST(StructsEndpoint, consecutive_messages_of_equal_length_form_trains) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    Outbox outbox;
    const Bytes four(4, std::byte{5});
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(endpoint.send(alice, {22, four}));
    ASSERT_TRUE(endpoint.send(alice, {23, four}));  // another id, but the same length
    ASSERT_TRUE(endpoint.send(alice, {24, {}}));    // shorter: ends the train
    ASSERT_TRUE(endpoint.send(alice, {22, four}));
    ASSERT_TRUE(endpoint.send(bob, {22, four}));
    EXPECT_EQ(endpoint.waiting(), 7u);
    const auto sent = outbox.drain(endpoint, 1);
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_EQ(sent[0].transmit.destination, alice);
    EXPECT_EQ(sent[0].transmit.segment_bytes, 11u);
    const std::vector<Bytes> expected = {packet_of(22, four), packet_of(22, four), packet_of(22, four),
                                         packet_of(23, four), packet_of(24, {})};
    EXPECT_EQ(sent[0].datagrams(), expected);
    EXPECT_EQ(sent[1].bytes, packet_of(22, four));
    EXPECT_EQ(sent[2].transmit.destination, bob);
    EXPECT_EQ(endpoint.counters().sent, 7u);
    EXPECT_EQ(endpoint.waiting(), 0u);
}

TEST(StructsEndpoint, trains_end_at_the_limits_of_a_transmit) {
    Library library;
    ASSERT_TRUE(library.add(1, "small", "B"));
    ASSERT_TRUE(library.add(2, "large", "30000s"));
    Endpoint endpoint(library);
    Outbox outbox;
    for (std::size_t i = 0; i < limits::train_segments_max + 1; ++i) ASSERT_TRUE(endpoint.send(alice, {1, Bytes(1)}));
    auto sent = outbox.drain(endpoint, 1);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].datagrams().size(), limits::train_segments_max);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(endpoint.send(alice, {2, Bytes(30'000)}));
    sent = outbox.drain(endpoint, 1);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].datagrams().size(), 2u);
}

TEST(StructsEndpoint, refuses_messages_that_the_receiver_would_refuse) {
    Library library;
    ASSERT_TRUE(library.add(1, "largest", "65500s"));
    ASSERT_TRUE(library.add(2, "larger", "65501s"));
    Endpoint endpoint(library);
    Outbox outbox;
    EXPECT_EQ(endpoint.send(alice, {3, {}}).error(), Refusal::unknown_id);
    EXPECT_EQ(endpoint.send(alice, {1, Bytes(1)}).error(), Refusal::wrong_size);
    EXPECT_EQ(endpoint.send(alice, {2, Bytes(65'501)}).error(), Refusal::too_large);
    std::uint64_t taken = 0;
    while (endpoint.send(alice, {1, Bytes(65'500)})) ASSERT_LE(++taken, limits::struct_queue_bytes / 65'500);
    EXPECT_GE(taken, 16u);
    const auto sent = outbox.drain(endpoint, 1);
    EXPECT_EQ(sent.size(), taken);
    EXPECT_EQ(sent[0].bytes.size(), limits::datagram_bytes_max);
    const Counters& counts = endpoint.counters();
    EXPECT_EQ(counts.refused_unknown_id, 1u);
    EXPECT_EQ(counts.refused_wrong_size, 1u);
    EXPECT_EQ(counts.refused_too_large, 1u);
    EXPECT_EQ(counts.refused_queue_full, 1u);
    EXPECT_EQ(counts.sent, taken);
    EXPECT_TRUE(endpoint.send(alice, {1, Bytes(65'500)})) << "there is space again";
}

TEST(StructsEndpoint, datagrams_that_the_application_did_not_poll_are_counted) {
    const Library library = library_of_three();
    Endpoint endpoint(library);
    const Bytes packet = packet_of(22, Bytes(4));
    const Bytes datagram = joined({Bytes(60'000), packet});
    std::uint64_t received = 0;
    while (endpoint.counters().app_behind == 0) {
        endpoint.handle(1, {alice, 0, datagram});
        ASSERT_LE(++received, 1 + limits::struct_queue_bytes / datagram.size());
    }
    EXPECT_EQ(events_of(endpoint).size(), received - 1);
    endpoint.handle(1, {alice, 0, packet});
    EXPECT_EQ(events_of(endpoint).size(), 1u);
    EXPECT_EQ(endpoint.counters().received, received + 1);
}

}  // namespace
}  // namespace ringpost::structs
