#include "codec/echo/endpoint.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::echo {
namespace {

const Address alice = Address::v4(10, 0, 0, 1, 4'000);
const Address bob = Address::v4(10, 0, 0, 2, 4'000);

class EchoTest : public testing::Test {
  protected:
    void request(const Bytes& bytes, const Address& source = alice, SocketIndex socket = 0) {
        echo.handle(0, {source, socket, bytes});
    }
    // The segment sizes of each transmit.
    std::vector<std::vector<std::size_t>> trains() {
        std::vector<std::vector<std::size_t>> out;
        for (const Sent& sent : outbox.drain(echo, 0)) {
            out.emplace_back();
            for (const Bytes& datagram : sent.datagrams()) out.back().push_back(datagram.size());
        }
        return out;
    }

    Endpoint echo;
    Outbox outbox;
};

using Trains = std::vector<std::vector<std::size_t>>;

TEST_F(EchoTest, returns_the_bytes_to_their_source_on_the_same_socket) {
    request(bytes_of("hello"), bob, 3);
    const auto sent = outbox.drain(echo, 0);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes, bytes_of("hello"));
    EXPECT_EQ(sent[0].transmit.destination, bob);
    EXPECT_EQ(sent[0].transmit.socket, 3u);
    EXPECT_EQ(sent[0].transmit.segment_bytes, 5u);
    EXPECT_EQ(echo.counters().received, 1u);
    EXPECT_EQ(echo.counters().sent, 1u);
    EXPECT_FALSE(echo.poll_timeout());
    EXPECT_FALSE(echo.poll_event());
}

TEST_F(EchoTest, keeps_order_and_contents) {
    Random random(9);
    std::vector<std::pair<Address, Bytes>> requests;
    for (int i = 0; i < 2'000; ++i) {
        requests.emplace_back(random() % 4 == 0 ? bob : alice,
                              random_bytes(random, random() % 3 == 0 ? random() % 50 : 20));
        request(requests.back().second, requests.back().first);
    }
    std::size_t i = 0;
    for (const Sent& sent : outbox.drain(echo, 0))
        for (const Bytes& datagram : sent.datagrams()) {
            ASSERT_LT(i, requests.size());
            ASSERT_EQ(sent.transmit.destination, requests[i].first) << i;
            ASSERT_EQ(datagram, requests[i].second) << i;
            ++i;
        }
    EXPECT_EQ(i, requests.size());
    EXPECT_EQ(echo.counters().sent, requests.size());
}

TEST_F(EchoTest, consecutive_equal_replies_form_a_train) {
    for (int i = 0; i < 5; ++i) request(Bytes(10));
    EXPECT_EQ(trains(), (Trains{{10, 10, 10, 10, 10}}));
}

TEST_F(EchoTest, a_shorter_reply_ends_the_train_and_a_longer_one_starts_the_next) {
    for (const std::size_t size : {10, 10, 4, 4, 4, 10, 11}) request(Bytes(size));
    EXPECT_EQ(trains(), (Trains{{10, 10, 4}, {4, 4}, {10}, {11}}));
}

TEST_F(EchoTest, another_destination_or_socket_starts_the_next_train) {
    const Address alice_elsewhere = Address::v4(10, 0, 0, 1, 4'001);
    request(Bytes(10));
    request(Bytes(10));
    request(Bytes(10), bob);
    request(Bytes(10), bob, 1);
    request(Bytes(10), alice);
    request(Bytes(10), alice_elsewhere);
    EXPECT_EQ(trains(), (Trains{{10, 10}, {10}, {10}, {10}, {10}}));
}

TEST_F(EchoTest, empty_datagrams_are_sent_alone) {
    for (const std::size_t size : {0, 0, 5, 0, 5, 5}) request(Bytes(size));
    EXPECT_EQ(trains(), (Trains{{0}, {0}, {5}, {0}, {5, 5}}));
    EXPECT_EQ(echo.counters().sent, 6u);
}

TEST_F(EchoTest, trains_end_at_the_limits) {
    for (std::size_t i = 0; i < limits::train_segments_max + 1; ++i) request(Bytes(1));
    auto sizes = trains();
    ASSERT_EQ(sizes.size(), 2u);
    EXPECT_EQ(sizes[0].size(), limits::train_segments_max);
    for (int i = 0; i < 3; ++i) request(Bytes(30'000));
    EXPECT_EQ(trains(), (Trains{{30'000, 30'000}, {30'000}}));
    request(Bytes(limits::datagram_bytes_max));
    request(Bytes(1));
    EXPECT_EQ(trains(), (Trains{{limits::datagram_bytes_max}, {1}}));
}

TEST_F(EchoTest, ports_that_would_answer_are_refused) {
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{0, 7, 19})
        request(Bytes(10), Address::v4(10, 0, 0, 1, port));
    EXPECT_EQ(echo.counters().refused, 3u);
    EXPECT_TRUE(trains().empty());
    request(Bytes(10), Address::v4(10, 0, 0, 1, 8));
    EXPECT_EQ(trains(), (Trains{{10}}));
}

TEST_F(EchoTest, a_request_from_its_own_address_and_port_is_refused) {
    const Address here = Address::v4(10, 0, 0, 9, 7'000);
    Datagram in{here, 0, {}};
    in.local = here;
    echo.handle(0, in);
    EXPECT_EQ(echo.counters().refused, 1u);
    EXPECT_TRUE(trains().empty());
    in.local.port = 7'001;
    echo.handle(0, in);
    in.local = {};
    echo.handle(0, in);
    EXPECT_EQ(trains().size(), 2u);
}

TEST_F(EchoTest, its_own_link_local_address_is_refused_on_every_interface) {
    Address here;
    here.ip = {0xfe, 0x80};
    here.port = 7'000;
    here.family = Family::v6;
    Datagram in{here, 0, {}};
    in.local = here;
    in.local.scope = 2;
    echo.handle(0, in);
    EXPECT_EQ(echo.counters().refused, 1u);
}

TEST_F(EchoTest, a_reply_has_the_hop_limit_of_its_request_minus_one) {
    const Bytes bytes(10);
    for (const std::uint8_t hop_limit : std::initializer_list<std::uint8_t>{64, 64, 2, 255, 1, 0}) {
        Datagram in{alice, 0, bytes};
        in.hop_limit = hop_limit;
        echo.handle(0, in);
    }
    std::vector<std::pair<int, std::size_t>> out;
    for (const Sent& sent : outbox.drain(echo, 0)) out.emplace_back(sent.transmit.hop_limit, sent.datagrams().size());
    EXPECT_EQ(out, (std::vector<std::pair<int, std::size_t>>{{63, 2}, {1, 1}, {254, 1}, {0, 1}}));
    EXPECT_EQ(echo.counters().hops_exhausted, 1u);
    EXPECT_EQ(echo.counters().received, echo.counters().sent + echo.counters().hops_exhausted);
}

// IPv6 carries up to 65,527 bytes, more than fits in a Transmit.
TEST_F(EchoTest, a_request_longer_than_any_reply_is_refused) {
    request(Bytes(limits::datagram_bytes_max + 1));
    request(Bytes(65'527));
    EXPECT_EQ(echo.counters().refused, 2u);
    ASSERT_FALSE(outbox.poll(echo, 0));
    request(Bytes(10));
    EXPECT_EQ(trains(), (Trains{{10}}));
}

TEST_F(EchoTest, a_full_queue_is_counted_and_recovers) {
    std::uint64_t requests = 0;
    while (echo.counters().queue_full == 0) {
        request(Bytes(60'000, static_cast<std::byte>(requests)));
        ASSERT_LE(++requests, 1 + limits::echo_queue_bytes / 60'000);
    }
    EXPECT_EQ(echo.counters().received, requests);
    EXPECT_EQ(trains().size(), requests - 1);
    EXPECT_EQ(echo.counters().sent, requests - 1);
    request(bytes_of("again"));
    EXPECT_EQ(trains(), (Trains{{5}}));
}

}  // namespace
}  // namespace ringpost::echo
