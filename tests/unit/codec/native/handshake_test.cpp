#include <gtest/gtest.h>

#include "tests/unit/codec/native/handshake_pair.hpp"

namespace ringpost::native {
namespace {

TEST(Handshake, both_ends_can_talk_with_each_pattern_and_suite) {
    for (const crypto::Pattern pattern : crypto::all_patterns) {
        for (const crypto::Suite suite :
             {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure}) {
            SCOPED_TRACE(testing::Message() << int(pattern) << ' ' << int(suite));
            HandshakePair pair(pattern, suite);
            pair.start();
            Established client = pair.connected();
            const Bytes first = short_packet(client, 0, "hello");
            auto server = pair.server->confirm(pair.now, first);
            ASSERT_TRUE(server);
            EXPECT_EQ(opened(*server, first), "hello");
            EXPECT_EQ(opened(client, short_packet(*server, 0, "welcome")), "welcome");
            EXPECT_EQ(client.remote, server->local);
            EXPECT_EQ(client.local, server->remote);
            EXPECT_EQ(server->local.shard, 3);
            EXPECT_EQ(client.handshake_hash, server->handshake_hash);
            EXPECT_EQ(client.parameters.application(), "server");
            EXPECT_EQ(server->parameters.application(), "client");
            EXPECT_EQ(server->reset_token, pair.client_options.reset_token);
            EXPECT_EQ(client.reset_token, reset_token_of(pair.server_options.reset_secret, client.remote));
            const bool named = pattern == crypto::Pattern::ik || pattern == crypto::Pattern::ik_psk2;
            EXPECT_EQ(server->peer_key, named ? pair.client_pair.public_key : crypto::Key{});
            EXPECT_EQ(client.peer_key,
                      pattern == crypto::Pattern::nn_psk0 ? crypto::Key{} : pair.server_pair.public_key);
            EXPECT_EQ(client.suite, suite);
            EXPECT_EQ(server->pattern, pattern);
            EXPECT_EQ(pair.server->half_open(), 0u);
        }
    }
}

TEST(Handshake, both_ends_measure_a_round_trip_that_is_sure) {
    HandshakePair pair;
    pair.start();
    const Bytes init = pair.init(), answer = pair.answer(init);
    pair.now += 40 * millisecond;
    ASSERT_TRUE(pair.client->handle(pair.now, answer));
    Established client = pair.client->take();
    EXPECT_EQ(client.rtt, 40 * millisecond);
    pair.now += 5 * millisecond;
    EXPECT_EQ(pair.server->confirm(pair.now, short_packet(client, 0, ""))->rtt, 45 * millisecond);

    HandshakePair slow;
    slow.start();
    const Bytes first = slow.init();
    slow.now = slow.client->expires_at();
    ASSERT_FALSE(slow.init().empty());
    const Bytes late = slow.answer(first);
    ASSERT_EQ(slow.answer(first), late);
    ASSERT_TRUE(slow.client->handle(slow.now, late));
    client = slow.client->take();
    EXPECT_EQ(client.rtt, 0) << "of which Init?";
    EXPECT_EQ(slow.server->confirm(slow.now, short_packet(client, 0, ""))->rtt, 0) << "of which Response?";
}

TEST(Handshake, answers_are_small) {
    for (const crypto::Pattern pattern : crypto::all_patterns) {
        HandshakePair pair(pattern);
        pair.start();
        const Bytes init = pair.init(), answer = pair.answer(init);
        EXPECT_EQ(init.size(), init_bytes);
        EXPECT_GT(answer.size(), 100u);
        EXPECT_LE(answer.size() * 4, init.size());
    }
}

TEST(Handshake, the_client_sends_again_with_a_doubling_interval) {
    HandshakePair pair;
    pair.start();
    std::vector<Duration> times;
    const Instant begin = pair.now;
    Bytes first;
    while (pair.client->state() == Initiator::State::waiting) {
        const Bytes sent = pair.init();
        if (!sent.empty()) {
            times.push_back((pair.now - begin) / millisecond);
            if (first.empty()) first = sent;
            EXPECT_EQ(sent, first);
        }
        EXPECT_TRUE(pair.init().empty()) << "once";
        ASSERT_GT(pair.client->expires_at(), pair.now);
        pair.now = pair.client->expires_at();
        pair.client->expire(pair.now);
    }
    EXPECT_EQ(times,
              (std::vector<Duration>{0, 250, 750, 1'750, 2'750, 3'750, 4'750, 5'750, 6'750, 7'750, 8'750, 9'750}));
    EXPECT_EQ(pair.now - begin, limits::native_handshake_timeout);
    EXPECT_EQ(pair.client->failure(), Initiator::Failure::timed_out);
    EXPECT_EQ(pair.client->expires_at(), never);
}

TEST(Handshake, a_repeated_init_has_the_same_answer) {
    HandshakePair pair;
    pair.start();
    const Bytes init = pair.init(), answer = pair.answer(init);
    EXPECT_EQ(pair.answer(init), answer);
    EXPECT_EQ(pair.server->counters().repeated, 1u);
    EXPECT_EQ(pair.server->counters().answered, 1u);
    EXPECT_EQ(pair.server->half_open(), 1u);
    // From elsewhere it is another attempt.
    EXPECT_NE(pair.answer(init, Address::v4(192, 0, 2, 1, 40'001)), answer);
    EXPECT_EQ(pair.server->half_open(), 2u);
}

TEST(Handshake, what_is_not_for_this_server_is_dropped_and_counted) {
    HandshakePair pair, stranger(crypto::Pattern::ik, crypto::Suite::aes256_gcm, 2);
    pair.start();
    stranger.start();
    EXPECT_TRUE(pair.answer(stranger.init()).empty());
    EXPECT_EQ(pair.server->counters().unknown_key, 1u);
    EXPECT_TRUE(pair.answer(bytes_of("?")).empty());
    EXPECT_TRUE(pair.answer(stranger.answer(stranger.init())).empty());
    EXPECT_EQ(pair.server->counters().malformed, 2u);
}

TEST(Handshake, patterns_and_suites_are_a_choice_of_the_server) {
    HandshakePair pair;
    pair.server_options.patterns = {crypto::Pattern::nk};
    pair.start();
    EXPECT_TRUE(pair.answer(pair.init()).empty());
    EXPECT_EQ(pair.server->counters().refused_pattern, 1u);
    HandshakePair plain(crypto::Pattern::ik, crypto::Suite::insecure);
    plain.server_options.suites = {crypto::Suite::aes256_gcm};
    plain.start();
    EXPECT_TRUE(plain.answer(plain.init()).empty());
    EXPECT_EQ(plain.server->counters().refused_suite, 1u);
}

TEST(Handshake, only_allowed_clients_are_answered) {
    HandshakePair pair;
    const crypto::AllowList nobody({}, {1, 2});
    std::vector<crypto::AllowedPeer> peers(1);
    peers[0].public_key = pair.client_pair.public_key;
    const crypto::AllowList somebody(peers, {1, 2});
    pair.allow = &nobody;
    pair.start();
    const Bytes init = pair.init();
    EXPECT_TRUE(pair.answer(init).empty());
    EXPECT_EQ(pair.server->counters().not_allowed, 1u);
    EXPECT_EQ(pair.server->half_open(), 0u);
    pair.server->allow(&somebody);
    EXPECT_FALSE(pair.answer(init).empty());
}

TEST(Handshake, a_replay_after_the_connection_is_dropped) {
    HandshakePair pair;
    pair.start();
    const Bytes init = pair.init();
    ASSERT_TRUE(pair.client->handle(pair.now, pair.answer(init)));
    Established client = pair.client->take();
    ASSERT_TRUE(pair.server->confirm(pair.now, short_packet(client, 0, "")));
    EXPECT_TRUE(pair.answer(init).empty());
    EXPECT_TRUE(pair.answer(init, Address::v4(203, 0, 113, 1, 1)).empty());
    EXPECT_EQ(pair.server->counters().replayed, 2u);
    EXPECT_EQ(pair.server->half_open(), 0u);
}

TEST(Handshake, a_clock_that_is_behind_the_newest_is_refused) {
    constexpr std::uint64_t two_years_ms = 2ull * 365 * 24 * 3'600 * 1'000, newest_ms = 5 * two_years_ms;
    HandshakePair pair;
    pair.client_options.clock_ms = newest_ms;
    pair.start();
    Established client = pair.connected();
    ASSERT_TRUE(pair.server->confirm(pair.now, short_packet(client, 0, "")));
    const auto answers = [&](std::uint64_t clock_ms) {
        pair.client_options.clock_ms = clock_ms;
        pair.start_client();
        return !pair.answer(pair.init()).empty();
    };
    EXPECT_TRUE(answers(newest_ms + 1));
    EXPECT_TRUE(answers(newest_ms)) << "another connection, made at the same time";
    EXPECT_TRUE(answers(newest_ms - limits::native_clock_slack_ms + 1)) << "one whose first Inits were lost";
    EXPECT_FALSE(answers(newest_ms - limits::native_clock_slack_ms));
    EXPECT_FALSE(answers(newest_ms - two_years_ms));
    EXPECT_EQ(pair.server->counters().replayed, 2u);
    EXPECT_TRUE(answers(newest_ms + two_years_ms));
}

TEST(Handshake, a_short_packet_that_is_not_authentic_confirms_nothing) {
    HandshakePair pair;
    pair.start();
    Established client = pair.connected();
    Bytes packet = short_packet(client, 0, "hello");
    packet.back() ^= std::byte{1};
    EXPECT_FALSE(pair.server->confirm(pair.now, packet));
    packet.back() ^= std::byte{1};
    packet[0] ^= std::byte{0x20};
    EXPECT_FALSE(pair.server->confirm(pair.now, packet)) << "another key phase";
    packet[0] ^= std::byte{0x20};
    EXPECT_FALSE(pair.server->confirm(pair.now, Bytes(20'000, std::byte{0x40})));
    Bytes large(20'000);
    std::copy(packet.begin(), packet.end(), large.begin());
    EXPECT_FALSE(pair.server->confirm(pair.now, large));
    EXPECT_EQ(pair.server->counters().unconfirmed, 3u);
    EXPECT_EQ(pair.server->counters().unknown_id, 1u);
    EXPECT_TRUE(pair.server->confirm(pair.now, packet));
    EXPECT_FALSE(pair.server->confirm(pair.now, packet)) << "once";
}

TEST(Handshake, an_unconfirmed_one_is_forgotten_after_the_time) {
    HandshakePair pair;
    pair.start();
    Established client = pair.connected();
    pair.now += limits::native_handshake_timeout;
    EXPECT_FALSE(pair.server->confirm(pair.now, short_packet(client, 0, "late")));
    // Its entry is dropped when the next Init arrives.
    pair.client_options.clock_ms = 2'000;
    pair.start_client();
    EXPECT_FALSE(pair.answer(pair.init()).empty());
    EXPECT_EQ(pair.server->half_open(), 1u);
}

TEST(Handshake, the_least_recent_one_makes_space_in_a_full_table) {
    HandshakePair pair;
    pair.server_options.half_open_max = 4;
    pair.server_options.handshakes_per_second = 1'000'000;
    pair.start_server();
    std::vector<Bytes> inits;
    for (std::uint16_t port = 1; port <= 5; ++port) {
        pair.start_client();
        inits.push_back(pair.init());
        const Address source = Address::v4(192, 0, 2, 1, port);
        Bytes answer = pair.answer(inits.back(), source);
        if (answer.size() == cookie_packet_bytes) {
            ASSERT_TRUE(pair.client->handle(pair.now, answer));
            inits.back() = pair.init();
            answer = pair.answer(inits.back(), source);
        }
        EXPECT_GT(answer.size(), cookie_packet_bytes) << port;
        // The first is used again and again.
        EXPECT_FALSE(pair.answer(inits.front(), Address::v4(192, 0, 2, 1, 1)).empty());
    }
    EXPECT_EQ(pair.server->half_open(), 4u);
    EXPECT_EQ(pair.server->counters().evicted, 1u);
    EXPECT_EQ(pair.server->counters().repeated, 5u) << "the first is still there";
}

TEST(Handshake, under_load_a_client_proves_its_address) {
    HandshakePair pair;
    pair.server_options.handshakes_per_second = 0;
    pair.start();
    const Bytes cookie = pair.answer(pair.init());
    EXPECT_EQ(cookie.size(), cookie_packet_bytes);
    EXPECT_EQ(pair.server->half_open(), 0u);
    EXPECT_TRUE(pair.client->handle(pair.now, cookie));
    const Bytes second = pair.init();
    ASSERT_FALSE(second.empty()) << "at once";
    EXPECT_EQ(pair.answer(second, Address::v4(203, 0, 113, 9, 40'000)).size(), cookie_packet_bytes) << "elsewhere";
    EXPECT_EQ(pair.answer(second, Address::v4(192, 0, 2, 1, 40'001)).size(), cookie_packet_bytes) << "another port";
    EXPECT_EQ(pair.server->counters().bad_cookies, 2u);
    EXPECT_TRUE(pair.client->handle(pair.now, pair.answer(second)));
    EXPECT_EQ(pair.client->state(), Initiator::State::established);
    EXPECT_EQ(pair.server->counters().cookies_sent, 3u);
}

TEST(Handshake, cookies_last_for_a_minute_or_two) {
    HandshakePair pair;
    pair.server_options.handshakes_per_second = 0;
    pair.now = 600 * second;
    pair.start();
    ASSERT_TRUE(pair.client->handle(pair.now, pair.answer(pair.init())));
    const Bytes with_cookie = pair.init();
    pair.now += 119 * second;
    EXPECT_GT(pair.answer(with_cookie).size(), cookie_packet_bytes);
    pair.now += second;
    pair.start_server();
    EXPECT_EQ(pair.answer(with_cookie).size(), cookie_packet_bytes) << "two minutes on, or another secret";
}

TEST(Handshake, repeated_cookies_make_a_client_send_once) {
    HandshakePair pair;
    pair.server_options.handshakes_per_second = 0;
    pair.start();
    const Bytes cookie = pair.answer(pair.init());
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(pair.client->handle(pair.now, cookie));
        EXPECT_EQ(pair.init().empty(), i > 0);
    }
    pair.now = pair.client->expires_at();
    EXPECT_FALSE(pair.init().empty());
    EXPECT_EQ(pair.client->counters().sent, 3u);
}

TEST(Handshake, another_version_is_answered_with_ours) {
    HandshakePair pair;
    pair.start();
    const Bytes init = pair.init();
    Bytes newer = init;
    newer[1] = std::byte{2};
    EXPECT_TRUE(pair.answer(newer).empty()) << "the mac covers the version";
    const MacKey key = mac_key_of_public(pair.server_pair.public_key);
    const auto parsed = std::get<InitPacket>(*parse_long(newer));
    write_mac(newer, mac_of(key, newer, parsed.noise));
    const Bytes answer = pair.answer(newer);
    const auto versions = std::get<VersionsPacket>(*parse_long(answer));
    EXPECT_EQ(versions.count, 2);
    EXPECT_EQ(versions.versions[0], version_1);
    EXPECT_GE(versions.versions[1], 0x80);
    EXPECT_TRUE(mac_holds(key, answer, {}, versions.mac));
    EXPECT_EQ(pair.server->counters().versions_sent, 1u);
    EXPECT_EQ(pair.server->half_open(), 0u);
    // To a client of our version it means nothing.
    EXPECT_FALSE(pair.client->handle(pair.now, answer));
    VersionsPacket other = versions;
    other.versions = {2};
    other.count = 1;
    Bytes bytes(versions_packet_bytes);
    write_versions(bytes, other);
    write_mac(bytes, mac_of(key, bytes, {}));
    EXPECT_TRUE(pair.client->handle(pair.now, bytes));
    pair.now += limits::native_handshake_timeout;
    pair.client->expire(pair.now);
    EXPECT_EQ(pair.client->failure(), Initiator::Failure::no_common_version);
}

TEST(Handshake, a_weak_server_key_fails_at_once) {
    HandshakePair pair(crypto::Pattern::nk);
    pair.client_options.keys.remote = {};
    pair.start();
    EXPECT_EQ(pair.client->state(), Initiator::State::failed);
    EXPECT_EQ(pair.client->failure(), Initiator::Failure::weak_key);
    EXPECT_TRUE(pair.init().empty());
}

TEST(Handshake, a_reset_is_smaller_than_its_cause) {
    HandshakePair pair;
    pair.start();
    Established client = pair.connected();
    for (std::size_t size = 0; size < 100; ++size) {
        Bytes unknown = short_packet(client, 7, std::string(100, 'x'));
        unknown.resize(size);
        Bytes out(reset_bytes_max);
        out.resize(pair.server->reset(unknown, out));
        if (size <= reset_bytes_min) {
            EXPECT_TRUE(out.empty()) << size;
            continue;
        }
        EXPECT_LT(out.size(), size);
        const auto reset = std::get<ResetPacket>(*parse_long(out));
        EXPECT_EQ(reset.destination, client.remote);
        EXPECT_EQ(reset.token, client.reset_token);
        EXPECT_TRUE(ends_connection(reset, client.remote, client.reset_token));
        EXPECT_FALSE(ends_connection(reset, client.remote, ResetToken{}));
        EXPECT_FALSE(ends_connection(reset, client.local, client.reset_token));
        Bytes again(reset_bytes_max);
        EXPECT_EQ(pair.server->reset(out, again), 0u) << "resets are not answered";
    }
}

TEST(Handshake, random_bytes_depend_on_the_seed_alone) {
    crypto::RandomStream one(seeded_key(1)), same(seeded_key(1)), other(seeded_key(2));
    Bytes long_run(3'000), pieces(3'000), others(3'000);
    one.fill(long_run);
    for (std::size_t at = 0; at < pieces.size(); at += 100) same.fill(std::span(pieces).subspan(at, 100));
    other.fill(others);
    EXPECT_EQ(long_run, pieces);
    EXPECT_NE(long_run, others);
    // No 32 bytes come twice.
    for (std::size_t at = 32; at + 32 <= long_run.size(); ++at)
        EXPECT_FALSE(
            std::equal(long_run.begin(), long_run.begin() + 32, long_run.begin() + static_cast<std::ptrdiff_t>(at)));
}

}  // namespace
}  // namespace ringpost::native
