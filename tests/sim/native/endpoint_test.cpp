// Endpoints of the native transport: clients and a server with all its connections, over seeded links.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/native/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

using Kind = native::EndpointEvent::Kind;
using OfConnection = native::Event::Kind;

crypto::Key key_of(std::uint64_t number) {
    crypto::Key key{};
    for (std::size_t i = 0; i < sizeof number; ++i) key[i] = static_cast<std::byte>(number >> 8 * i);
    key[31] = std::byte{0x40};
    return key;
}

std::span<const std::byte> bytes_of_text(const std::string& text) { return std::as_bytes(std::span(text)); }

/// An endpoint and what its application has seen. Returns every message if `echoing`.
struct EndpointNode {
    EndpointNode(const native::EndpointOptions& options, bool echoing) : endpoint(options), echoes(echoing) {}

    void on_event(Instant now, const native::EndpointEvent& event) {
        const std::uint32_t index = event.connection.index;
        if (event.kind == Kind::opened) {
            opened.push_back(event.connection);
        } else if (event.kind == Kind::failed) {
            failures.push_back(event.failure);
        } else if (event.event.kind == OfConnection::run) {
            event.event.run.for_each([&](std::span<const std::byte> message) {
                received[index].emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
                if (echoes) endpoint.send(event.connection, event.event.channel, message);
            });
        } else if (event.event.kind == OfConnection::acknowledged) {
            acknowledged.push_back(event.event.number);
        } else if (event.event.kind == OfConnection::closed) {
            closed[index] = event.event.outcome;
            closed_at = now;
        }
    }

    native::Endpoint endpoint;
    bool echoes;
    std::vector<native::ConnectionNumber> opened;
    std::vector<native::Initiator::Failure> failures;
    std::map<std::uint32_t, std::vector<std::string>> received;
    std::map<std::uint32_t, native::CloseOutcome> closed;
    std::vector<std::uint64_t> acknowledged;
    Instant closed_at = 0;
};

auto on_event_of(EndpointNode& node) {
    return [&node](Instant now, const native::EndpointEvent& event) { node.on_event(now, event); };
}

/// One server, any number of clients on hosts of their own.
struct EndpointPlay {
    explicit EndpointPlay(std::uint64_t seed) : network(seed), seed(seed) {
        server_options.seed = key_of(seed * 1'000);
        server_options.server = native::ServerOptions{
            .patterns = {crypto::Pattern::nn_psk0, crypto::Pattern::nk, crypto::Pattern::ik, crypto::Pattern::ik_psk2},
            .suites = {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure},
            .pair = server_pair,
            .psk = psk,
            .reset_secret = key_of(99)};
    }

    void start_server(const Link& between) {
        server = std::make_unique<EndpointNode>(server_options, true);
        network.add(server_address, *server_endpoint(), on_event_of(*server));
        link = between;
    }
    /// A new process at the server's address.
    void restart_server() {
        auto old = std::move(server);
        server_options.seed = key_of(seed * 1'000 + 1);
        server = std::make_unique<EndpointNode>(server_options, true);
        network.replace(0, *server_endpoint(), on_event_of(*server));
        old.reset();
    }
    EndpointNode& add_client() {
        native::EndpointOptions options = client_options;
        options.seed = key_of(seed * 1'000 + 10 + clients.size());
        clients.push_back(std::make_unique<EndpointNode>(options, false));
        const auto last = static_cast<std::uint8_t>(clients.size());
        const NodeIndex node =
            network.add(Address::v4(10, 0, 1, last, 4'000), clients.back()->endpoint, on_event_of(*clients.back()));
        network.link_both(0, node, link);
        return *clients.back();
    }
    native::ClientOptions choose(crypto::Pattern pattern, crypto::Suite suite, std::uint64_t client) const {
        native::ClientOptions out;
        out.pattern = pattern;
        out.suite = suite;
        out.keys.local = crypto::key_pair_of(key_of(8 * (1'000 + client)));
        out.keys.remote = server_pair.public_key;
        out.keys.psk = psk;
        out.clock_ms = 1'000'000 + client;
        return out;
    }
    native::ConnectionNumber connect(EndpointNode& client, const native::ClientOptions& options) {
        const auto number = client.endpoint.connect(network.now(), server_address, options);
        EXPECT_TRUE(number.has_value());
        network.wake(node_of(client));
        return *number;
    }
    void send(EndpointNode& client, native::ConnectionNumber connection, const std::string& text) {
        EXPECT_EQ(client.endpoint.send(connection, 0, bytes_of_text(text)), native::SendResult::queued);
        network.wake(node_of(client));
    }
    void close(EndpointNode& client, native::ConnectionNumber connection) {
        client.endpoint.close(network.now(), connection, network.now() + 10 * second);
        network.wake(node_of(client));
    }
    void run_for(Duration time) { ASSERT_NE(network.run_until(network.now() + time), Outcome::livelock); }

    native::Endpoint* server_endpoint() { return &server->endpoint; }
    NodeIndex node_of(const EndpointNode& client) const {
        const auto at = std::ranges::find_if(clients, [&](const auto& each) { return each.get() == &client; });
        return static_cast<NodeIndex>(1 + (at - clients.begin()));
    }

    static constexpr Address server_address = Address::v4(10, 0, 0, 1, 7'000);
    Network network;
    std::uint64_t seed;
    Link link;
    crypto::KeyPair server_pair = crypto::key_pair_of(key_of(1));
    crypto::Key psk = key_of(2);
    native::EndpointOptions server_options, client_options;
    std::unique_ptr<EndpointNode> server;
    std::vector<std::unique_ptr<EndpointNode>> clients;
};

/// An application that waits for something else leaves events in the endpoint for long.
TEST(NativeEndpoint, timers_run_while_events_are_not_taken) {
    native::Endpoint client({.seed = key_of(1), .connections_max = 2});
    native::ClientOptions options;
    options.pattern = crypto::Pattern::nn_psk0;
    ASSERT_TRUE(client.connect(0, Address::v4(10, 0, 0, 2, 7'000), options).has_value());
    std::vector<std::byte> out(limits::datagram_bytes_max);
    Instant now = 0;
    for (int sent = 0; sent < 5; ++sent) {
        ASSERT_TRUE(client.poll_transmit(now, out).has_value()) << sent;
        ASSERT_FALSE(client.poll_transmit(now, out).has_value());
        ASSERT_TRUE(client.may_have_events());
        ASSERT_TRUE(client.poll_timeout().has_value());
        now = std::max(now, *client.poll_timeout());
        client.handle_timeout(now);
    }
}

TEST(NativeEndpoint, every_pattern_and_suite_connects_echoes_and_closes) {
    EndpointPlay play(1);
    play.start_server({});
    std::uint64_t number = 0;
    for (const crypto::Pattern pattern : crypto::all_patterns)
        for (const crypto::Suite suite :
             {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure}) {
            EndpointNode& client = play.add_client();
            const auto connection = play.connect(client, play.choose(pattern, suite, ++number));
            play.run_for(100 * millisecond);
            ASSERT_EQ(client.opened.size(), 1u) << static_cast<int>(pattern) << ", " << static_cast<int>(suite);
            const std::string large(100'000, 'x');
            play.send(client, connection, "hello");
            play.send(client, connection, "");
            play.send(client, connection, large);
            play.run_for(second);
            EXPECT_EQ(client.received[connection.index], (std::vector<std::string>{"hello", "", large}));
            play.close(client, connection);
            play.run_for(5 * second);
            EXPECT_TRUE(client.closed[connection.index].all_delivered);
            EXPECT_EQ(client.endpoint.connections(), 0u);
            EXPECT_EQ(play.server->endpoint.connections(), 0u);
            EXPECT_EQ(client.endpoint.send(connection, 0, {}), native::SendResult::closed);
        }
    EXPECT_EQ(play.server->opened.size(), number);
}

TEST(NativeEndpoint, a_client_with_other_keys_gets_no_answer) {
    EndpointPlay play(1);
    play.start_server({});
    EndpointNode& client = play.add_client();
    auto wrong = play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1);
    wrong.keys.remote = crypto::key_pair_of(key_of(77)).public_key;
    play.connect(client, wrong);
    auto wrong_psk = play.choose(crypto::Pattern::nn_psk0, crypto::Suite::aes256_gcm, 1);
    wrong_psk.keys.psk = key_of(78);
    play.connect(client, wrong_psk);
    play.run_for(30 * second);
    EXPECT_EQ(client.failures, std::vector(2, native::Initiator::Failure::timed_out));
    EXPECT_EQ(client.endpoint.connections(), 0u);
    EXPECT_EQ(play.server->endpoint.connections(), 0u);
}

TEST(NativeEndpoint, only_allowed_clients_connect) {
    EndpointPlay play(1);
    const crypto::KeyPair friends = crypto::key_pair_of(key_of(8 * 1'001));
    const crypto::AllowList allowed({{friends.public_key, "a"}}, {});
    play.server_options.server->allow = &allowed;
    play.start_server({});
    EndpointNode& known = play.add_client();
    EndpointNode& unknown = play.add_client();
    play.connect(known, play.choose(crypto::Pattern::ik, crypto::Suite::aes256_gcm, 1));
    play.connect(unknown, play.choose(crypto::Pattern::ik, crypto::Suite::aes256_gcm, 2));
    play.run_for(30 * second);
    EXPECT_EQ(known.opened.size(), 1u);
    EXPECT_EQ(unknown.failures.size(), 1u);
    ASSERT_EQ(play.server->opened.size(), 1u);
    EXPECT_EQ(play.server->endpoint.peer_name(play.server->opened[0]), "a");
    EXPECT_GT(play.server->endpoint.responder_counters()->not_allowed, 0u);
}

native::ClientOptions of_session(const EndpointPlay& play, std::string_view id, const std::string& token) {
    auto out = play.choose(crypto::Pattern::nn_psk0, crypto::Suite::aes256_gcm, 1);
    out.keys.psk = native::session_secret(id, bytes_of_text(token)).value();
    return out;
}

TEST(NativeEndpoint, a_session_connects_until_it_is_removed) {
    EndpointPlay play(1);
    const std::string token = "0123456789abcdef";
    play.server_options.server->patterns = {};
    play.server_options.server->sessions_max = 2;
    play.start_server({});
    native::Endpoint& server = play.server->endpoint;
    ASSERT_TRUE(server.add_session("alice", bytes_of_text(token)));
    ASSERT_TRUE(server.add_session("bob", bytes_of_text(token)));
    EndpointNode& client = play.add_client();
    const auto connection = play.connect(client, of_session(play, "bob", token));
    play.run_for(second);
    ASSERT_EQ(play.server->opened.size(), 1u);
    EXPECT_EQ(server.peer_name(play.server->opened[0]), "bob");

    EXPECT_TRUE(server.remove_session("bob"));
    EXPECT_FALSE(server.remove_session("bob"));
    play.send(client, connection, "still here");
    play.connect(client, of_session(play, "bob", token));
    play.connect(client, of_session(play, "alice", token + "!"));  // another token
    play.connect(client, play.choose(crypto::Pattern::nn_psk0, crypto::Suite::aes256_gcm, 1));
    play.run_for(30 * second);
    EXPECT_EQ(play.server->received[0], std::vector<std::string>{"still here"});
    EXPECT_EQ(server.peer_name(play.server->opened[0]), "bob");
    EXPECT_EQ(client.failures.size(), 3u);
    EXPECT_EQ(play.server->opened.size(), 1u);
    EXPECT_GT(server.responder_counters()->unknown_key, 0u);
    EXPECT_GT(server.responder_counters()->refused_pattern, 0u);
}

TEST(NativeEndpoint, a_session_that_is_removed_during_its_handshake_does_not_connect) {
    EndpointPlay play(1);
    play.server_options.server->sessions_max = 1;
    play.start_server({.delay = 100 * millisecond});
    native::Endpoint& server = play.server->endpoint;
    ASSERT_TRUE(server.add_session("alice", bytes_of_text("0123456789abcdef")));
    EndpointNode& client = play.add_client();
    play.connect(client, of_session(play, "alice", "0123456789abcdef"));
    play.run_for(150 * millisecond);  // the Response is under way
    ASSERT_EQ(server.responder_counters()->answered, 1u);
    server.remove_session("alice");
    play.run_for(second);
    EXPECT_TRUE(play.server->opened.empty());
    EXPECT_GT(server.responder_counters()->not_allowed, 0u);
}

TEST(NativeEndpoint, sessions_are_refused_with_a_reason) {
    EndpointPlay play(1);
    play.server_options.server->sessions_max = 1;
    play.start_server({});
    native::Endpoint& server = play.server->endpoint;
    const std::string token = "0123456789abcdef";
    const auto refusal = [&](std::string_view id, const std::string& of) {
        return server.add_session(id, bytes_of_text(of)).error();
    };
    EXPECT_EQ(refusal("", token), native::SessionRefusal::bad_id);
    EXPECT_EQ(refusal(std::string(65, 'x'), token), native::SessionRefusal::bad_id);
    EXPECT_EQ(refusal("alice", token.substr(1)), native::SessionRefusal::short_token);
    EXPECT_TRUE(server.add_session(std::string(64, 'x'), bytes_of_text(token)));
    EXPECT_EQ(refusal(std::string(64, 'x'), token), native::SessionRefusal::in_use);
    EXPECT_EQ(refusal("alice", token), native::SessionRefusal::full);
    EXPECT_TRUE(server.remove_session(std::string(64, 'x')));
    EXPECT_TRUE(server.add_session("alice", bytes_of_text(token)));
}

TEST(NativeEndpoint, what_the_peer_has_is_reported) {
    EndpointPlay play(1);
    play.client_options.connection.acknowledgements = true;
    play.start_server({.loss = 0.2, .delay = 20 * millisecond});
    EndpointNode& client = play.add_client();
    const auto connection = play.connect(client, play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1));
    play.run_for(10 * second);
    for (int i = 0; i < 100; ++i) play.send(client, connection, std::string(i % 10 == 0 ? 5'000 : 50, 'x'));
    play.run_for(10 * second);
    ASSERT_FALSE(client.acknowledged.empty());
    EXPECT_TRUE(std::ranges::is_sorted(client.acknowledged, std::less_equal<>()));
    EXPECT_GT(client.acknowledged.size(), 1u);
    EXPECT_EQ(client.acknowledged.back(), 100u);
}

TEST(NativeEndpoint, a_client_has_the_rate_of_the_list) {
    EndpointPlay play(1);
    const crypto::KeyPair slow = crypto::key_pair_of(key_of(8 * 1'001));
    const crypto::AllowList allowed({{slow.public_key, "slow", 100'000}}, {});
    play.server_options.server->allow = &allowed;
    play.start_server({});
    EndpointNode& client = play.add_client();
    const auto connection = play.connect(client, play.choose(crypto::Pattern::ik, crypto::Suite::aes256_gcm, 1));
    play.run_for(second);
    constexpr std::size_t messages = 200, message_bytes = 1'000;
    for (std::size_t i = 0; i < messages; ++i) play.send(client, connection, std::string(message_bytes, 'x'));
    play.run_for(second);
    // The rate and its burst, and what is lost in between.
    EXPECT_LE(play.server->received[0].size() * message_bytes, 110'000u);
    EXPECT_GT(play.server->endpoint.counters().over_rate, 0u);
    play.run_for(20 * second);
    EXPECT_EQ(play.server->received[0].size(), messages);
}

TEST(NativeEndpoint, a_restarted_server_is_noticed_in_a_round_trip) {
    EndpointPlay play(1);
    play.start_server({.delay = 10 * millisecond});
    EndpointNode& client = play.add_client();
    const auto connection = play.connect(client, play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1));
    play.run_for(second);
    play.restart_server();
    play.run_for(100 * millisecond);
    const Instant sent_at = play.network.now();
    play.send(client, connection, std::string(200, 'x'));
    play.run_for(second);
    ASSERT_TRUE(client.closed.contains(connection.index));
    EXPECT_EQ(client.closed[connection.index].code, native::CloseCode::reset);
    EXPECT_LE(client.closed_at - sent_at, 21 * millisecond);
    EXPECT_EQ(play.server->endpoint.counters().resets_sent, 1u);
}

TEST(NativeEndpoint, a_forged_reset_is_counted) {
    EndpointPlay play(1);
    play.start_server({});
    EndpointNode& client = play.add_client();
    const auto connection = play.connect(client, play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1));
    play.run_for(second);
    std::array<std::byte, native::reset_bytes_max> forged{};
    native::ResetPacket packet;
    const std::size_t bytes = native::write_reset(forged, packet, native::reset_bytes_min);
    client.endpoint.handle(play.network.now(), {EndpointPlay::server_address, 0, std::span(forged).first(bytes)});
    EXPECT_EQ(client.endpoint.counters().bad_resets, 1u);
    play.send(client, connection, "still there");
    play.run_for(second);
    EXPECT_EQ(client.received[connection.index].size(), 1u);
}

TEST(NativeEndpoint, a_full_server_refuses) {
    EndpointPlay play(1);
    play.server_options.connections_max = 2;
    play.start_server({});
    std::vector<native::ConnectionNumber> connections;
    for (std::uint64_t i = 0; i < 3; ++i)
        connections.push_back(
            play.connect(play.add_client(), play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, i)));
    play.run_for(second);
    EXPECT_EQ(play.server->endpoint.connections(), 2u);
    EXPECT_GE(play.server->endpoint.counters().refused_full, 1u);
    // The third believed that it had a connection; its first packet was answered by a Reset.
    std::size_t echoed = 0, reset = 0;
    for (std::uint64_t i = 0; i < 3; ++i) {
        if (play.clients[i]->closed.contains(0)) {
            EXPECT_EQ(play.clients[i]->closed[0].code, native::CloseCode::reset);
            ++reset;
        } else {
            play.send(*play.clients[i], connections[i], "x");
        }
    }
    play.run_for(second);
    for (const auto& client : play.clients) echoed += client->received[0].size();
    EXPECT_EQ(echoed, 2u);
    EXPECT_EQ(reset, 1u);
}

TEST(NativeEndpoint, a_client_takes_no_more_than_its_places) {
    EndpointPlay play(1);
    play.client_options.connections_max = 1;
    play.start_server({});
    EndpointNode& client = play.add_client();
    play.connect(client, play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1));
    const native::ClientOptions options = play.choose(crypto::Pattern::nk, crypto::Suite::aes256_gcm, 1);
    const auto second = client.endpoint.connect(0, EndpointPlay::server_address, options);
    EXPECT_EQ(second.error(), native::ConnectRefusal::full);
    EXPECT_EQ(client.endpoint.connect(0, Address{}, options).error(), native::ConnectRefusal::bad_peer);
}

// Each message once and in order, whatever the links do; then every connection ends, and nothing is left.
TEST(NativeEndpoint, many_clients_over_bad_links) {
    for_each_seed(12, [](std::uint64_t seed) {
        Random random(seed);
        EndpointPlay play(seed);
        play.start_server({.loss = 0.1 * static_cast<double>(random.below(3)),
                           .duplicate = 0.1,
                           .corrupt = 0.05,
                           .truncate = 0.02,
                           .delay = millisecond * static_cast<Duration>(random.between(1, 30)),
                           .jitter = 5 * millisecond});
        const std::uint64_t clients = random.between(1, 8);
        std::vector<native::ConnectionNumber> connections;
        for (std::uint64_t i = 0; i < clients; ++i)
            connections.push_back(play.connect(
                play.add_client(),
                play.choose(random.one_of<crypto::Pattern>(crypto::all_patterns), crypto::Suite::aes256_gcm, i)));
        play.run_for(20 * second);
        std::vector<std::vector<std::string>> sent(clients);
        for (std::uint64_t i = 0; i < clients; ++i) {
            ASSERT_EQ(play.clients[i]->opened.size(), 1u);
            for (std::uint64_t n = random.between(1, 30); n > 0; --n) {
                sent[i].push_back(std::to_string(n) + std::string(random.below(4'000), 'y'));
                play.send(*play.clients[i], connections[i], sent[i].back());
            }
        }
        play.run_for(60 * second);
        for (std::uint64_t i = 0; i < clients; ++i) {
            EXPECT_EQ(play.clients[i]->received[connections[i].index], sent[i]) << i;
            play.close(*play.clients[i], connections[i]);
        }
        play.run_for(60 * second);
        EXPECT_EQ(play.server->endpoint.connections(), 0u);
        for (const auto& client : play.clients) EXPECT_EQ(client->endpoint.connections(), 0u);
        EXPECT_EQ(play.server->endpoint.counters().opened, clients);
    });
}

}  // namespace
}  // namespace ringpost::sim
