// gtUDP servers under attack (adversary.hpp), with legitimate clients before and during it.

#include "tests/sim/gtudp/adversary.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/echo/endpoint.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"
#include "tests/sim/gtudp/duo.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

const Address server_at = Address::v4(10, 0, 0, 1, 1'000);
const Address mallory_at = Address::v4(10, 0, 9, 9, 999);

std::string text_of_event(const gtudp::Event& event) {
    return event.bytes.empty() ? ""
                               : std::string(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size());
}

gtudp::Options victim_options(std::uint64_t seed) {
    gtudp::Options options = small_options(seed);
    options.sends_max = options.receives_max = 1'024;
    options.peers_max = 256;
    options.payload_bytes = 256 << 10;
    options.event_bytes = 512 << 10;
    options.first_identity = static_cast<gtudp::Identity>(seed * 0x9e3779b9u);
    return options;
}

/// A legitimate client of the server, at an address of its own.
struct Client {
    Client(Network& network, std::uint8_t number, std::uint64_t seed)
        : address(Address::v4(10, 0, 1, number, 2'000)), endpoint(victim_options(seed * 100 + number)) {
        node = network.add(address, endpoint, [this](Instant, const gtudp::Event& event) {
            if (event.kind == gtudp::Event::Kind::message)
                ++replies[text_of_event(event)];
            else
                ++outcomes[event.outcome];
        });
    }

    void send(Network& network) {
        const std::string text = std::to_string(node) + " sends " + std::to_string(sent++);
        ASSERT_TRUE(endpoint.send(network.now(), server_at, bytes_of(text)).has_value());
        network.wake(node);
    }

    Address address;
    gtudp::Endpoint endpoint;
    NodeIndex node = 0;
    int sent = 0;
    std::map<std::string, int> replies;
    std::map<gtudp::Outcome, int> outcomes;
};

/// A server with two clients that have proved themselves, one that comes during the attack, and the attacker.
template <class Server, class OnEvent>
class Siege {
  public:
    Siege(std::uint64_t seed, Server& server, OnEvent on_event) : network(seed), metered_(server) {
        server_ = network.add(server_at, metered_, on_event);
        std::vector<Address> real;
        for (std::uint8_t i = 0; i < 3; ++i) {
            clients.push_back(std::make_unique<Client>(network, static_cast<std::uint8_t>(i + 1), seed));
            const Link link{
                .loss = i == 2 ? 0.0 : 0.1, .duplicate = 0.05, .delay = 2 * millisecond, .jitter = millisecond};
            network.link_both(server_, clients.back()->node, link);
            real.push_back(clients.back()->address);
            metered_.add_real(real.back());
        }
        metered_.add_real(mallory_at);
        metered_.watch(mallory_at);
        attacker_.emplace(seed * 0x9e3779b97f4a7c15 + 7, real);
    }

    void play() {
        for (int i = 0; i < 20; ++i) {
            clients[0]->send(network);
            clients[1]->send(network);
            run(10 * millisecond);
        }
        run(5 * second);
        for (int i = 0; i < 4'000; ++i) {
            attack();
            if (i % 40 == 0) clients[0]->send(network);
            if (i % 40 == 20) clients[1]->send(network);
            if (i >= 1'000 && i % 40 == 30) clients[2]->send(network);
        }
        run(200 * second);
        for (const auto& client : clients) {
            EXPECT_EQ(client->endpoint.in_flight(), 0u);
            EXPECT_EQ(client->outcomes[gtudp::Outcome::confirmed], client->sent) << "client " << client->node;
        }
        EXPECT_LE(metered_.amplification(), 3.0);
        EXPECT_GT(metered_.amplification(), 0.2) << "the attack should be answered at all";
    }

    Network network;
    std::vector<std::unique_ptr<Client>> clients;

  private:
    /// About one datagram in 250 us. A few come from the attacker's own address, so that it learns identities; it
    /// answers none of these.
    void attack() {
        const auto forged = attacker_->next(metered_.learnt());
        inject(forged.source, forged.bytes);
        if (++attacks_ % 16 == 0) {
            std::vector<std::byte> data(9);
            gtudp::Codec().write_header(data.data(), gtudp::Kind::data, attacks_);
            inject(mallory_at, data);
        }
        run(250 * microsecond);
    }

    void inject(const Address& source, std::span<const std::byte> bytes) {
        metered_.handle(network.now(server_), {source, 0, bytes});
        network.wake(server_);
    }

    void run(Duration duration) { EXPECT_NE(network.run_until(network.now() + duration), Outcome::livelock); }

    Metered<Server> metered_;
    NodeIndex server_ = 0;
    std::optional<Attacker> attacker_;
    gtudp::Identity attacks_ = 0;
};

// A server that only receives can never prove its clients, so the attack may evict what it remembers of them.
TEST(GtudpAdversary, a_receiver_amplifies_nothing_and_serves_its_clients) {
    for_each_seed(6, [](std::uint64_t seed) {
        gtudp::Endpoint server(victim_options(seed));
        std::map<std::string, int> delivered;
        Siege siege(seed, server, [&](Instant, const gtudp::Event& event) {
            if (event.peer != mallory_at) ++delivered[text_of_event(event)];
        });
        siege.play();
        std::uint64_t repeated = 0;
        for (const auto& client : siege.clients)
            for (int i = 0; i < client->sent; ++i) {
                const int times = delivered[std::to_string(client->node) + " sends " + std::to_string(i)];
                EXPECT_GE(times, 1);
                repeated += static_cast<std::uint64_t>(std::max(times - 1, 0));
            }
        EXPECT_LE(repeated, server.counters().forgotten_early);
    });
}

TEST(GtudpAdversary, an_echo_amplifies_nothing_and_answers_each_proven_client_once) {
    for_each_seed(6, [](std::uint64_t seed) {
        echo::Endpoint echo;
        traffic::GtudpTunnel server(echo, {.wire = victim_options(seed), .target = {}, .window = 256});
        Siege siege(seed, server, [](Instant, const echo::Endpoint::Event&) {});
        siege.play();
        for (const auto& client : siege.clients) {
            for (const auto& [text, times] : client->replies) EXPECT_EQ(times, 1) << text;
            EXPECT_EQ(client->replies.size(), static_cast<std::size_t>(client->sent)) << "client " << client->node;
        }
        const gtudp::Counters counts = server.wire().counters();
        EXPECT_GT(counts.displaced, 0u);
        EXPECT_GT(counts.data_withheld + counts.recv_withheld, 0u);
        EXPECT_EQ(counts.refused_table_full + counts.refused_peers_full, 0u);
    });
}

// The attacker receives messages of its own and guesses that the identities of others are close.
TEST(GtudpAdversary, guessed_recvs_confirm_nothing_for_others) {
    for_each_seed(6, [](std::uint64_t seed) {
        gtudp::Endpoint sender(victim_options(seed));
        Metered<gtudp::Endpoint> metered(sender);
        metered.watch(mallory_at);
        Network network(seed);
        int confirmed = 0;
        const NodeIndex node = network.add(server_at, metered, [&](Instant, const gtudp::Event& event) {
            confirmed += event.kind == gtudp::Event::Kind::outcome && event.outcome == gtudp::Outcome::confirmed;
        });
        const Address silent = Address::v4(10, 0, 1, 1, 2'000);
        for (const Address& each : {silent, mallory_at}) metered.add_real(each);
        for (int i = 0; i < 20; ++i) {
            for (const Address& to : {silent, mallory_at})
                ASSERT_TRUE(sender.send(network.now(), to, bytes_of("secret")).has_value());
            network.wake(node);
            network.run_until(network.now() + millisecond);
            std::vector<std::byte> recv(5);
            for (gtudp::Identity near = 0; near < 100; ++near) {
                gtudp::Codec().write_header(recv.data(), gtudp::Kind::recv, metered.learnt().back() + near - 50);
                metered.handle(network.now(), {silent, 0, recv});
            }
        }
        network.run_until(100 * second);
        EXPECT_EQ(confirmed, 0);
        EXPECT_EQ(sender.counters().gave_up_attempts, 40u);
    });
}

// ---- one window for all ----------------------------------------------------------------------------

// 9,000 messages from as many made-up addresses, at once.
TEST(GtudpAdversary, made_up_messages_do_not_silence_an_echo) {
    echo::Endpoint echo;
    traffic::GtudpTunnelOptions options{.wire = victim_options(1), .target = {}};
    options.wire.sends_max = options.wire.receives_max = options.wire.peers_max = 16'384;
    options.wire.event_bytes = options.wire.payload_bytes = 4 << 20;
    traffic::GtudpTunnel server(echo, options);
    Metered metered(server);
    Network network(1);
    const NodeIndex node = network.add(server_at, metered);
    Client known(network, 1, 1), newcomer(network, 2, 1);
    for (Client* client : {&known, &newcomer}) metered.add_real(client->address);
    known.send(network);
    network.run_until(second);
    std::vector<std::byte> data(6);
    for (std::uint16_t i = 0; i < 9'000; ++i) {
        gtudp::Codec().write_header(data.data(), gtudp::Kind::data, i);
        metered.handle(network.now(), {Address::v4(192, 0, 2, static_cast<std::uint8_t>(i % 200), i), 0, data});
    }
    network.wake(node);
    network.run_until(network.now() + 100 * millisecond);
    const Instant from = network.now();
    known.send(network);
    newcomer.send(network);
    network.run_until(from + 20 * millisecond);
    EXPECT_EQ(known.replies.size(), 2u);
    EXPECT_EQ(newcomer.replies.size(), 1u);
    EXPECT_LE(metered.amplification(), 3.0);
}

// A peer that has proved itself and then confirms nothing uses up its own share only.
TEST(GtudpAdversary, a_proven_peer_that_stops_confirming_stops_no_other) {
    echo::Endpoint echo;
    traffic::GtudpTunnelOptions options{.wire = victim_options(1), .target = {}, .window = 256};
    traffic::GtudpTunnel server(echo, options);
    Metered metered(server);
    Network network(1);
    const NodeIndex node = network.add(server_at, metered);
    Client other(network, 1, 1);
    for (const Address& each : {other.address, mallory_at}) metered.add_real(each);
    metered.watch(mallory_at);
    std::vector<std::byte> frame(200);
    const auto from_mallory = [&](gtudp::Kind kind, gtudp::Identity identity, std::size_t bytes) {
        gtudp::Codec().write_header(frame.data(), kind, identity);
        metered.handle(network.now(), {mallory_at, 0, std::span(frame).first(bytes)});
        network.wake(node);
        network.run_until(network.now() + 100 * microsecond);
    };
    from_mallory(gtudp::Kind::data, 0, 200);
    ASSERT_EQ(metered.learnt().size(), 1u);
    from_mallory(gtudp::Kind::recv, metered.learnt().front(), 5);
    for (gtudp::Identity i = 1; i < 2'000; ++i) from_mallory(gtudp::Kind::data, i, 200);
    const gtudp::Counters counts = server.wire().counters();
    EXPECT_LE(server.wire().in_flight(), 64u) << "a quarter of the window";
    EXPECT_GT(counts.app_behind, 1'000u) << "messages are not accepted while their replies have no space";
    EXPECT_EQ(server.refused(), 0u);
    const Instant from = network.now();
    other.send(network);
    network.run_until(from + 20 * millisecond);
    EXPECT_EQ(other.replies.size(), 1u);
}

}  // namespace
}  // namespace ringpost::sim
