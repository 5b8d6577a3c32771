#include "codec/relay/endpoint.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/helpers.hpp"

namespace ringpost::relay {
namespace {

const Address alice = Address::v4(10, 0, 0, 1, 4'000);
const Address bob = Address::v4(10, 0, 0, 2, 4'000);
const Address target = Address::v4(10, 0, 9, 9, 9'000);

Address client_address(std::uint32_t i) {
    return Address::v4(10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 5'000);
}

class RelayTest : public testing::Test {
  protected:
    void open(const Options& options = {}) { relay = std::make_unique<Endpoint>(options); }
    void SetUp() override { open(); }

    // Acts as the application: a new client gets the next socket.
    void answer_events() {
        while (const auto event = relay->poll_event()) {
            if (event->kind == Event::Kind::client_removed)
                closed.push_back(event->socket);
            else
                EXPECT_TRUE(relay->attach(event->client, ++sockets));
        }
    }
    void from_client(const Bytes& bytes, const Address& source = alice, Instant now = 0) {
        relay->handle(now, {source, 0, bytes});
        answer_events();
    }
    void from_target(const Bytes& bytes, SocketIndex socket, Instant now = 0) {
        relay->handle(now, {target, socket, bytes});
    }
    std::vector<std::vector<std::size_t>> trains(Instant now = 0) {
        std::vector<std::vector<std::size_t>> out;
        for (const Sent& sent : outbox.drain(*relay, now)) {
            out.emplace_back();
            for (const Bytes& datagram : sent.datagrams()) out.back().push_back(datagram.size());
        }
        return out;
    }
    std::vector<Bytes> datagrams(Instant now) {
        std::vector<Bytes> out;
        for (const Sent& sent : outbox.drain(*relay, now))
            for (const Bytes& datagram : sent.datagrams()) out.push_back(datagram);
        return out;
    }
    const Counters& there() const { return relay->counts(Direction::to_target); }
    const Counters& back() const { return relay->counts(Direction::to_client); }
    void expect_balance() const {
        std::uint64_t received = 0, accounted = relay->held();
        for (const Direction direction : {Direction::to_target, Direction::to_client}) {
            const Counters& counts = relay->counts(direction);
            received += counts.received + counts.duplicated;
            accounted += counts.forwarded + counts.lost + counts.burst_lost + counts.blackholed + counts.overflow +
                         counts.abandoned + counts.refused + counts.hops_exhausted;
        }
        EXPECT_EQ(received, accounted);
    }

    std::unique_ptr<Endpoint> relay;
    Outbox outbox;
    SocketIndex sockets = 0;
    std::vector<SocketIndex> closed;
};

using Trains = std::vector<std::vector<std::size_t>>;

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

TEST_F(RelayTest, each_client_has_its_own_path_in_both_directions) {
    from_client(bytes_of("from alice"), alice);
    from_client(bytes_of("from bob"), bob);
    from_client(bytes_of("alice again"), alice);
    auto sent = outbox.drain(*relay, 0);
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_EQ(sent[0].transmit.socket, 1u);
    EXPECT_EQ(sent[1].transmit.socket, 2u);
    EXPECT_EQ(sent[2].transmit.socket, 1u);
    from_target(bytes_of("to bob"), 2);
    from_target(bytes_of("to alice"), 1);
    sent = outbox.drain(*relay, 0);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].transmit.destination, bob);
    EXPECT_EQ(sent[0].transmit.socket, 0u);
    EXPECT_EQ(sent[0].bytes, bytes_of("to bob"));
    EXPECT_EQ(sent[1].transmit.destination, alice);
    EXPECT_EQ(sent[1].bytes, bytes_of("to alice"));
    EXPECT_EQ(relay->clients().clients, 2u);
    EXPECT_EQ(there().received, 3u);
    EXPECT_EQ(there().forwarded, 3u);
    EXPECT_EQ(back().forwarded, 2u);
}

TEST_F(RelayTest, consecutive_equal_datagrams_of_one_client_form_trains) {
    for (const std::size_t size : std::initializer_list<std::size_t>{10, 10, 4, 4, 0, 10, 11}) from_client(Bytes(size));
    from_client(Bytes(11), bob);
    from_target(Bytes(11), 2);
    from_target(Bytes(11), 2);
    EXPECT_EQ(trains(), (Trains{{10, 10, 4}, {4}, {0}, {10}, {11}, {11}, {11, 11}}));
    for (std::size_t i = 0; i < limits::train_segments_max + 1; ++i) from_client(Bytes(1));
    EXPECT_EQ(trains()[0].size(), limits::train_segments_max);
    for (int i = 0; i < 3; ++i) from_client(Bytes(30'000));
    EXPECT_EQ(trains(), (Trains{{30'000, 30'000}, {30'000}}));
}

TEST_F(RelayTest, without_jitter_order_is_kept_and_nothing_is_sent_early) {
    open({.to_target = {.duplicate = 0.1, .rate_bits_per_s = 400'000'000, .delay = 5 * millisecond}, .seed = 3});
    ringpost::Random random(4);
    std::vector<Bytes> sent;
    std::vector<Instant> sent_at;
    std::size_t next = 0;
    Instant now = 0;
    while (next < 3'000) {
        if (sent.size() < 3'000) {
            sent.push_back(random_bytes(random, 8 + random() % 3));
            sent_at.push_back(now);
            from_client(sent.back(), alice, now);
        }
        for (const Bytes& datagram : datagrams(now)) {
            if (next > 0 && datagram == sent[next - 1]) continue;  // a duplicate
            ASSERT_EQ(datagram, sent[next]);
            ASSERT_GE(now, sent_at[next] + 5 * millisecond);
            ++next;
        }
        now = sent.size() < 3'000 ? now + static_cast<Duration>(random() % 100'000)
                                  : std::max(now, relay->poll_timeout().value_or(now));
    }
    while (relay->held() > 0) now += millisecond, datagrams(now);
    EXPECT_GT(there().duplicated, 0u);
    expect_balance();
}

TEST_F(RelayTest, datagrams_due_together_are_sent_in_order_of_arrival) {
    open({.to_target = {.reorder = 0.3}, .seed = 5});
    // A step is a hold: datagrams held back in one step are due with those that arrive in the next.
    std::vector<Bytes> expected, held_back, got;
    for (std::uint32_t step = 0; step < 500; ++step) {
        const Instant now = step * reorder_hold;
        expected.insert(expected.end(), held_back.begin(), held_back.end());
        held_back.clear();
        for (std::uint32_t i = 0; i < 5; ++i) {
            const Bytes bytes = bytes_of(std::to_string(step) + "." + std::to_string(i));
            const std::uint64_t before = there().reordered;
            from_client(bytes, alice, now);
            (there().reordered > before ? held_back : expected).push_back(bytes);
        }
        for (Bytes& datagram : datagrams(now)) got.push_back(std::move(datagram));
    }
    EXPECT_EQ(got, expected);
    EXPECT_GT(there().reordered, 100u);
}

TEST_F(RelayTest, poll_timeout_is_the_next_due_time) {
    open({.to_target = {.delay = 10 * millisecond}, .to_client = {.delay = millisecond}});
    from_client(Bytes(3), alice, 100);
    EXPECT_EQ(relay->poll_timeout(), 100 + 10 * millisecond);
    from_target(Bytes(4), 1, 200);
    EXPECT_EQ(relay->poll_timeout(), 200 + millisecond);
    EXPECT_TRUE(trains(199 + millisecond).empty());
    EXPECT_EQ(trains(200 + millisecond), (Trains{{4}}));
    EXPECT_EQ(trains(100 + 10 * millisecond), (Trains{{3}}));
    EXPECT_FALSE(relay->poll_timeout());
}

TEST_F(RelayTest, corruption_flips_few_bits_and_nothing_else) {
    open({.to_client = {.corrupt = 1}, .seed = 6});
    from_client(Bytes(1));
    (void)trains();
    ringpost::Random random(7);
    for (int i = 0; i < 200; ++i) {
        const Bytes bytes = random_bytes(random, 1 + random() % 200);
        from_target(bytes, 1);
        const auto sent = outbox.poll(*relay, 0);
        ASSERT_TRUE(sent);
        ASSERT_EQ(sent->bytes.size(), bytes.size());
        int flipped = 0;
        for (std::size_t k = 0; k < bytes.size(); ++k)
            flipped += std::popcount(std::to_integer<unsigned>(bytes[k] ^ sent->bytes[k]));
        ASSERT_GE(flipped, 1);
        ASSERT_LE(flipped, 3);
    }
    EXPECT_EQ(back().corrupted, 200u);
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

TEST_F(RelayTest, memory_is_bounded_in_bytes_and_datagrams_and_reused) {
    open({.to_target = {.delay = second}, .held_bytes_max = 64 * 100, .held_max = 16});
    for (int i = 0; i < 12; ++i) from_client(Bytes(1'000));  // 16 chunks each: six fit
    EXPECT_EQ(relay->held(), 6u);
    EXPECT_EQ(there().overflow, 6u);
    for (int i = 0; i < 20; ++i) from_client({});  // empty, so they need no chunks
    EXPECT_EQ(relay->held(), 16u);
    EXPECT_EQ(there().overflow, 16u);
    expect_balance();
    EXPECT_EQ(datagrams(second).size(), 16u);
    for (int i = 0; i < 6; ++i) from_client(Bytes(1'000), alice, second);
    EXPECT_EQ(datagrams(2 * second).size(), 6u);
    EXPECT_EQ(there().overflow, 16u);
}

TEST_F(RelayTest, refused_and_abandoned_datagrams_free_their_memory) {
    open({.held_bytes_max = 64 * 10, .held_max = 1, .clients_max = 1});
    for (std::uint32_t round = 0; round < 100; ++round) {
        from_client(Bytes(64), alice);
        from_client(Bytes(64), alice);  // there is space for only one client
        from_client(Bytes(64), bob);    // alice is evicted with her datagrams
        EXPECT_TRUE(trains().empty());
        from_client(Bytes(64), bob);
        EXPECT_EQ(trains(), (Trains{{64}})) << round;
    }
    from_client(Bytes(640), bob);
    EXPECT_EQ(trains(), (Trains{{640}})) << "all memory is free again";
    expect_balance();
}

// IPv6 carries up to 65,527 bytes, more than fits in a Transmit.
TEST_F(RelayTest, a_datagram_longer_than_a_transmit_is_dropped) {
    from_client(Bytes(limits::datagram_bytes_max));
    from_client(Bytes(limits::datagram_bytes_max + 1));
    EXPECT_EQ(there().overflow, 1u);
    EXPECT_EQ(trains(), (Trains{{limits::datagram_bytes_max}}));
}

TEST_F(RelayTest, the_directions_are_decided_independently) {
    const auto start_over = [&] {
        open({.to_target = {.loss = 0.5}, .to_client = {.loss = 0.5}, .seed = 8});
        sockets = 0;
    };
    const auto fates = [&](bool with_answers) {
        start_over();
        std::vector<bool> out;
        for (int i = 0; i < 100; ++i) {
            const std::uint64_t before = there().lost;
            from_client(Bytes(1));
            out.push_back(there().lost > before);
            if (with_answers) from_target(Bytes(1), 1);
        }
        return out;
    };
    EXPECT_EQ(fates(false), fates(true));
    // The two directions must not make the same decisions: every reply would be lost with its request.
    start_over();
    std::uint64_t together = 0;
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t before = there().lost + back().lost;
        from_client(Bytes(1));
        from_target(Bytes(1), 1);
        together += there().lost + back().lost == before + 2 ? 1 : 0;
    }
    EXPECT_LT(together, 35u) << "a quarter by chance, half if they were the same";
    EXPECT_GT(together, 15u);
}

TEST_F(RelayTest, all_datagrams_are_accounted_for) {
    const Impairments all{.loss = 0.05,
                          .burst = 0.01,
                          .burst_datagrams = 5,
                          .duplicate = 0.1,
                          .corrupt = 0.1,
                          .reorder = 0.1,
                          .rate_bits_per_s = 20'000'000,
                          .delay = millisecond,
                          .jitter = millisecond,
                          .blackhole_on = 50 * millisecond,
                          .blackhole_off = 100 * millisecond};
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        open({.to_target = all, .to_client = all, .seed = seed, .held_bytes_max = 64 * 512, .clients_max = 4});
        ringpost::Random random(seed);
        sockets = 0;
        Instant now = 0;
        for (int i = 0; i < 5'000; ++i) {
            now += static_cast<Duration>(random() % 100'000);
            const Bytes bytes = random_bytes(random, random() % 300);
            if (random() % 2 == 0 || sockets == 0)
                from_client(bytes, client_address(static_cast<std::uint32_t>(random() % 6)), now);
            else
                from_target(bytes, static_cast<SocketIndex>(1 + random() % sockets), now);
            if (random() % 4 == 0) (void)datagrams(now);
        }
        expect_balance();
        (void)datagrams(now + second);
        EXPECT_EQ(relay->held(), 0u);
        EXPECT_FALSE(relay->poll_timeout());
        expect_balance();
    }
}

TEST_F(RelayTest, both_directions_forward_with_the_hop_limit_minus_one) {
    const Bytes bytes(10);
    const auto pass = [&](const Address& source, SocketIndex socket, std::uint8_t hop_limit) {
        Datagram in{source, socket, bytes};
        in.hop_limit = hop_limit;
        relay->handle(0, in);
        answer_events();
    };
    for (const std::uint8_t hop_limit : std::initializer_list<std::uint8_t>{64, 64, 2, 1, 0}) {
        pass(alice, 0, hop_limit);
        pass(target, 1, hop_limit);
    }
    std::vector<int> to_target, to_client;
    for (const Sent& sent : outbox.drain(*relay, 0))
        (sent.transmit.socket == 0 ? to_client : to_target).push_back(sent.transmit.hop_limit);
    EXPECT_EQ(to_target, (std::vector<int>{63, 63, 1, 0}));
    EXPECT_EQ(to_client, to_target);
    EXPECT_EQ(there().hops_exhausted, 1u);
    EXPECT_EQ(back().hops_exhausted, 1u);
    expect_balance();
}

TEST_F(RelayTest, a_train_has_one_hop_limit) {
    const Bytes bytes(10);
    for (const std::uint8_t hop_limit : std::initializer_list<std::uint8_t>{64, 64, 63, 63, 63}) {
        Datagram in{alice, 0, bytes};
        in.hop_limit = hop_limit;
        relay->handle(0, in);
        answer_events();
    }
    EXPECT_EQ(trains(), (Trains{{10, 10}, {10, 10, 10}}));
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
