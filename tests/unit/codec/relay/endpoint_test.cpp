// Forwarding, impairments and accounting.

#include "tests/unit/codec/relay/relay_fixture.hpp"

namespace ringpost::relay {
namespace {

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

}  // namespace
}  // namespace ringpost::relay
