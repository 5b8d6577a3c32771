// Which sources become clients, and which make room.

#include "tests/unit/codec/relay/relay_fixture.hpp"

namespace ringpost::relay {
namespace {

TEST_F(RelayTest, a_new_client_is_an_event_and_its_datagrams_wait_for_the_socket) {
    relay->handle(0, {alice, 0, bytes_of("one")});
    relay->handle(0, {alice, 0, bytes_of("two")});
    EXPECT_FALSE(outbox.poll(*relay, 0));
    EXPECT_FALSE(relay->poll_timeout()) << "no timeout until the socket is attached";
    const auto event = relay->poll_event();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, Event::Kind::new_client);
    EXPECT_EQ(event->address, alice);
    EXPECT_FALSE(relay->poll_event());
    EXPECT_TRUE(relay->attach(event->client, 7));
    EXPECT_EQ(relay->poll_timeout(), 0);
    const auto sent = outbox.drain(*relay, 0);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes, bytes_of("onetwo"));
    EXPECT_EQ(sent[0].transmit.segment_bytes, 3u);
    EXPECT_EQ(sent[0].transmit.socket, 7u);
    EXPECT_EQ(sent[0].transmit.destination, Address{}) << "the connected target";
}

TEST_F(RelayTest, the_least_recently_active_client_is_evicted_and_its_socket_closed) {
    open({.clients_max = 4});
    for (std::uint32_t i = 0; i < 4; ++i) from_client(Bytes(1), client_address(i));
    from_client(Bytes(1), client_address(0));  // client 1 is the oldest now
    EXPECT_EQ(trains().size(), 5u);
    from_client(Bytes(1), client_address(9));
    EXPECT_EQ(closed, (std::vector<SocketIndex>{2}));
    EXPECT_EQ(relay->clients().forgotten, 1u);
    from_target(Bytes(5), 2);
    from_target(Bytes(6), 1);
    EXPECT_EQ(trains(), (Trains{{1}, {6}}));
    EXPECT_EQ(back().abandoned, 1u);
    // The index of a closed socket is reused.
    relay->handle(0, {client_address(1), 0, Bytes(7)});
    std::optional<Event> event = relay->poll_event();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, Event::Kind::client_removed);
    event = relay->poll_event();
    ASSERT_TRUE(event);
    EXPECT_TRUE(relay->attach(event->client, 2));
    from_target(Bytes(8), 2);
    const auto sent = outbox.drain(*relay, 0);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].transmit.socket, 2u);
    EXPECT_EQ(sent[1].transmit.destination, client_address(1));
    expect_balance();
}

TEST_F(RelayTest, datagrams_of_an_evicted_client_are_abandoned) {
    open({.to_target = {.delay = millisecond}, .to_client = {.delay = millisecond}, .clients_max = 1});
    from_client(Bytes(1), alice);
    from_target(Bytes(2), 1);
    from_client(Bytes(3), bob);
    EXPECT_EQ(trains(millisecond), (Trains{{3}}));
    EXPECT_EQ(there().abandoned, 1u);
    EXPECT_EQ(back().abandoned, 1u);
    EXPECT_EQ(relay->held(), 0u);
    expect_balance();
}

TEST_F(RelayTest, a_refused_client_loses_its_datagrams_and_may_return) {
    relay->handle(0, {alice, 0, Bytes(1)});
    const auto event = relay->poll_event();
    ASSERT_TRUE(event);
    relay->refuse(event->client);
    relay->refuse(event->client);
    EXPECT_FALSE(relay->attach(event->client, 1));
    EXPECT_TRUE(trains().empty());
    EXPECT_EQ(there().abandoned, 1u);
    EXPECT_EQ(relay->clients().refused, 1u);
    EXPECT_EQ(relay->held(), 0u);
    from_client(Bytes(2), alice);
    EXPECT_EQ(trains(), (Trains{{2}}));
}

TEST_F(RelayTest, clients_beyond_the_event_queue_are_refused_and_no_events_are_stale) {
    open({.clients_max = 4});
    for (std::uint32_t i = 0; i < 100; ++i) relay->handle(0, {client_address(i), 0, Bytes(1)});
    EXPECT_EQ(relay->clients().clients + there().overflow, 100u);
    EXPECT_GT(there().overflow, 0u);
    int events = 0;
    while (const auto event = relay->poll_event()) {
        EXPECT_EQ(event->kind, Event::Kind::new_client);
        EXPECT_TRUE(relay->attach(event->client, ++sockets));
        ++events;
    }
    EXPECT_EQ(events, 4) << "only for clients that still exist";
    EXPECT_EQ(trains().size(), 4u);
    expect_balance();
    from_client(Bytes(1), client_address(200));
    EXPECT_EQ(trains(), (Trains{{1}}));
}

TEST_F(RelayTest, sources_whose_replies_would_return_are_no_clients) {
    const Address here = Address::v4(10, 0, 0, 9, 7'000);
    open({.target = target});
    const Bytes bytes(10);
    const auto pass = [&](const Address& source, SocketIndex socket, const Address& local) {
        Datagram in{source, socket, bytes};
        in.local = local;
        relay->handle(0, in);
        answer_events();
    };
    pass(target, 0, here);
    pass(here, 0, here);
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{0, 7, 19})
        pass(Address::v4(10, 0, 0, 1, port), 0, here);
    EXPECT_EQ(relay->clients().clients, 0u);
    EXPECT_EQ(there().refused, 5u);
    pass(alice, 0, here);
    EXPECT_EQ(relay->clients().clients, 1u);
    // A socket whose port is the target's is connected to itself.
    pass(target, 1, target);
    pass(target, 1, here);
    EXPECT_EQ(back().refused, 1u);
    EXPECT_EQ(trains().size(), 2u);
    expect_balance();
}

TEST_F(RelayTest, new_clients_are_admitted_at_a_limited_rate) {
    constexpr std::uint64_t burst = 2 * limits::relay_clients_max + 1;
    open({.clients_max = 4, .new_clients_per_s = 10});
    std::uint32_t next = 0;
    const auto strangers = [&](Instant now) {
        for (std::uint32_t i = 0; i < 2'000; ++i) from_client(Bytes(1), client_address(next++), now);
        return relay->clients().clients;
    };
    EXPECT_EQ(strangers(0), burst);
    EXPECT_EQ(strangers(99 * millisecond), burst);
    EXPECT_EQ(strangers(100 * millisecond), burst + 1);
    EXPECT_EQ(strangers(second), burst + 10);
    EXPECT_EQ(strangers(1'000 * second), 2 * burst + 10) << "no more at once after any time";
    EXPECT_EQ(relay->clients().deferred, 5 * 2'000 - relay->clients().clients);
    EXPECT_EQ(there().overflow, relay->clients().deferred);
    expect_balance();
}

// 20,000 sources a second, each of which sends once.
TEST_F(RelayTest, a_client_keeps_its_socket_while_strangers_come) {
    from_client(Bytes(1), alice);
    from_client(Bytes(1), alice);
    std::uint64_t answered = 0;
    std::uint32_t next = 0;
    for (Instant now = 0; now < second; now += 5 * millisecond) {
        for (int i = 0; i < 100; ++i) from_client(Bytes(1), client_address(next++), now);
        if (now % (100 * millisecond) == 0) from_client(Bytes(2), alice, now);
        if (now % (100 * millisecond) == 50 * millisecond) from_target(Bytes(3), 1, now);
        for (const Sent& sent : outbox.drain(*relay, now)) answered += sent.transmit.destination == alice ? 1 : 0;
    }
    EXPECT_EQ(answered, 10u);
    EXPECT_EQ(back().abandoned, 0u);
    EXPECT_LE(sockets, 2 * limits::relay_clients_max + 1'000 + 3u) << "a bounded number of sockets is opened";
    expect_balance();
}

TEST_F(RelayTest, a_newcomer_that_sends_again_is_admitted_while_strangers_come) {
    std::uint32_t next = 0;
    const auto strangers = [&](Instant now) {
        for (int i = 0; i < 2'000; ++i) from_client(Bytes(1), client_address(next++), now);
    };
    strangers(0);
    from_client(Bytes(2), alice, 0);
    outbox.drain(*relay, 0);
    strangers(100 * millisecond);
    from_client(Bytes(2), alice, 100 * millisecond);
    EXPECT_EQ(trains(100 * millisecond).back(), (std::vector<std::size_t>{2}));
    strangers(200 * millisecond);
    outbox.drain(*relay, 200 * millisecond);
    from_client(Bytes(3), alice, 200 * millisecond);
    EXPECT_EQ(trains(200 * millisecond), (Trains{{3}})) << "it stays a client";
    expect_balance();
}

}  // namespace
}  // namespace ringpost::relay
