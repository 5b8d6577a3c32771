// Endpoints through random lives: several clients open, use and close connections to one server, which restarts and
// takes events late, over links that lose, change and cut. Each message arrives once, unchanged and in order, an
// outcome that claims delivery is right, and nothing is left at the end.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "codec/base/bytes.hpp"
#include "codec/native/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

constexpr std::uint32_t life_channels = 3;
constexpr std::size_t label_bytes = 16;
constexpr Address life_server = Address::v4(10, 0, 0, 1, 7'000);

/// What every message begins with: which connection it is of, in the order of connect(), and its number on a channel.
struct Label {
    std::uint64_t connection = 0, number = 0;
};

std::vector<std::byte> labelled(const Label& label, std::size_t bytes) {
    std::vector<std::byte> out(std::max(bytes, label_bytes), static_cast<std::byte>(label.number * 7));
    store_le(&out[0], label.connection);
    store_le(&out[8], label.number);
    return out;
}

Label label_of(std::span<const std::byte> message) {
    EXPECT_GE(message.size(), label_bytes);
    const Label label{load_le<std::uint64_t>(&message[0]), load_le<std::uint64_t>(&message[8])};
    EXPECT_TRUE(std::ranges::all_of(message.subspan(label_bytes),
                                    [&](std::byte b) { return b == static_cast<std::byte>(label.number * 7); }));
    return label;
}

crypto::Key life_key(std::uint64_t number) {
    crypto::Key key{};
    store_le(key.data(), number);
    return key;
}

/// How far each channel of one connection is.
using Counts = std::array<std::uint64_t, life_channels>;

struct Lives {
    struct Outgoing {
        std::size_t client;
        native::ConnectionNumber number;
        std::uint64_t id;
        bool open = false, closing = false, over = false;
        Counts sent{}, answered{};
    };
    struct Incoming {
        std::optional<std::uint64_t> id;  ///< that of its first message
        Counts answers{};
    };

    explicit Lives(std::uint64_t seed) : random(seed), network(seed), seed(seed) {
        link = {.loss = 0.1 * static_cast<double>(random.below(4)),
                .duplicate = random.chance(0.5) ? 0.1 : 0,
                .corrupt = random.chance(0.5) ? 0.03 : 0,
                .truncate = random.chance(0.3) ? 0.02 : 0,
                .delay = static_cast<Duration>(random.between(10, 30'000)) * microsecond,
                .jitter = static_cast<Duration>(random.below(20'000)) * microsecond};
        restart();
        const std::uint64_t hosts = random.between(1, 4);
        for (std::uint64_t i = 0; i < hosts; ++i) {
            native::EndpointOptions options = common(key_number++);
            options.connections_max = 8;
            clients.push_back(std::make_unique<native::Endpoint>(options));
            const NodeIndex node =
                network.add(Address::v4(10, 0, 1, static_cast<std::uint8_t>(i + 1), 4'000), *clients.back(),
                            [this, i](Instant, const native::EndpointEvent& event) { at_client(i, event); });
            network.link_both(0, node, link);
        }
    }

    native::EndpointOptions common(std::uint64_t number) const {
        native::EndpointOptions options;
        options.seed = life_key(seed << 20 | number);
        options.start = network.now();
        options.connection.channels = life_channels;
        options.connection.send_log_bytes = 16 << 10;
        options.connection.channel_window = 8 << 10;
        options.connection.connection_window = 16 << 10;
        options.connection.message_bytes_max = 6'000;
        options.connection.packets_in_flight_max = options.connection.receive_window = 128;
        return options;
    }

    /// The server begins, perhaps again: it has the same keys, and no connections.
    void restart() {
        native::EndpointOptions options = common(key_number++);
        options.connections_max = server_places;
        options.server = native::ServerOptions{.patterns = {crypto::Pattern::nn_psk0},
                                               .suites = {crypto::Suite::insecure, crypto::Suite::aes256_gcm},
                                               .pair = {},
                                               .psk = life_key(1),
                                               .reset_secret = life_key(2)};
        options.server->handshakes_per_second = random.chance(0.3) ? 5 : 1'000;
        incoming.clear();
        auto old = std::exchange(server, std::make_unique<native::Endpoint>(options));
        const auto on_event = [this](Instant, const native::EndpointEvent& event) { at_server(event); };
        if (old == nullptr)
            network.add(life_server, *server, on_event);
        else
            network.replace(0, *server, on_event);
    }

    void at_server(const native::EndpointEvent& event) {
        const auto key = std::pair(event.connection.index, event.connection.use);
        if (event.kind == native::EndpointEvent::Kind::opened) {
            EXPECT_TRUE(incoming.try_emplace(key).second);
            return;
        }
        ASSERT_EQ(event.kind, native::EndpointEvent::Kind::of_connection);
        ASSERT_TRUE(incoming.contains(key));
        if (event.event.kind == native::Event::Kind::closed) incoming.erase(key);
        if (event.event.kind != native::Event::Kind::run) return;
        Incoming& from = incoming[key];
        event.event.run.for_each([&](std::span<const std::byte> message) {
            const Label label = label_of(message);
            if (!from.id) from.id = label.connection;
            EXPECT_EQ(*from.id, label.connection);
            EXPECT_EQ(label.number, taken[label.connection][event.event.channel]++);
            ++delivered;
            std::uint64_t& answers = from.answers[event.event.channel];
            const auto answer = labelled({label.connection, answers}, message.size() / 2);
            answers += server->send(event.connection, event.event.channel, answer) == native::SendResult::queued;
        });
    }

    void at_client(std::size_t client, const native::EndpointEvent& event) {
        const auto at = std::ranges::find_if(outgoing, [&](const Outgoing& each) {
            return each.client == client && each.number == event.connection && !each.over;
        });
        ASSERT_NE(at, outgoing.end());
        if (event.kind == native::EndpointEvent::Kind::opened) {
            EXPECT_FALSE(std::exchange(at->open, true));
        } else if (event.kind == native::EndpointEvent::Kind::failed) {
            EXPECT_FALSE(at->open);
            at->over = true;
        } else if (event.event.kind == native::Event::Kind::run) {
            event.event.run.for_each([&](std::span<const std::byte> message) {
                const Label label = label_of(message);
                EXPECT_EQ(label.connection, at->id);
                EXPECT_EQ(label.number, at->answered[event.event.channel]++);
                ++delivered;
            });
        } else if (event.event.kind == native::Event::Kind::closed) {
            at->over = true;
            const bool all = taken[at->id] == at->sent;
            EXPECT_TRUE(all || !event.event.outcome.all_delivered);
        }
    }

    void connect() {
        const auto client = static_cast<std::size_t>(random.below(clients.size()));
        native::ClientOptions options;
        options.pattern = crypto::Pattern::nn_psk0;
        options.suite = random.chance(0.7) ? crypto::Suite::insecure : crypto::Suite::aes256_gcm;
        options.keys.psk = life_key(random.chance(0.95) ? 1 : 3);
        options.timeout = static_cast<Duration>(random.between(1, 10)) * second;
        const NodeIndex node = static_cast<NodeIndex>(client + 1);
        const auto number = clients[client]->connect(network.now(node), life_server, options);
        network.wake(node);
        if (number)
            outgoing.push_back({client, *number, outgoing.size()});
        else
            EXPECT_EQ(clients[client]->connections(), 8u);
    }
    void send(Outgoing& to) {
        const auto channel = static_cast<std::uint32_t>(random.below(life_channels));
        const std::size_t sizes[] = {16, 64, 64, 300, 1'400, 5'900};
        const std::size_t bytes = random.one_of(std::span<const std::size_t>(sizes));
        for (std::uint64_t left = random.between(1, 30); left > 0; --left) {
            const auto message = labelled({to.id, to.sent[channel]}, bytes);
            if (clients[to.client]->send(to.number, channel, message) != native::SendResult::queued) break;
            ++to.sent[channel];
        }
        network.wake(static_cast<NodeIndex>(to.client + 1));
    }
    void close(Outgoing& which, Duration patience) {
        const NodeIndex node = static_cast<NodeIndex>(which.client + 1);
        which.closing = true;
        clients[which.client]->close(network.now(node), which.number, network.now(node) + patience);
        network.wake(node);
    }
    void run_for(Duration time) { EXPECT_NE(network.run_until(network.now() + time), Outcome::livelock); }

    void step() {
        Outgoing* some = nullptr;
        if (!outgoing.empty())
            if (Outgoing& any = outgoing[random.below(outgoing.size())]; !any.over && !any.closing) some = &any;
        const NodeIndex client = static_cast<NodeIndex>(random.between(1, clients.size()));
        if (some != nullptr && some->open && random.chance(0.6)) send(*some);
        if (some != nullptr && random.chance(0.05))
            close(*some, static_cast<Duration>(random.below(5'000)) * millisecond);
        if (random.chance(0.15)) connect();
        if (random.chance(0.01)) restart();
        if (random.chance(0.02)) network.jump(client, static_cast<Duration>(random.below(5'000)) * millisecond);
        if (random.chance(0.05)) server_takes ^= true;
        network.take_events(0, server_takes);
        if (random.chance(0.02)) {
            Link cut = link;
            cut.loss = 1;
            network.link_both(0, client, cut);
            run_for(static_cast<Duration>(random.below(3'000)) * millisecond);
            network.link_both(0, client, link);
        }
        run_for(static_cast<Duration>(random.below(150)) * millisecond);
    }

    std::uint64_t play() {
        for (int i = 0; i < 150 && !testing::Test::HasFailure(); ++i) step();
        network.take_events(0, true);
        for (Outgoing& each : outgoing)
            if (!each.over && !each.closing) close(each, 20 * second);
        run_for(120 * second);
        for (const auto& client : clients) EXPECT_EQ(client->connections(), 0u);
        EXPECT_EQ(server->connections(), 0u);
        EXPECT_TRUE(incoming.empty());
        EXPECT_TRUE(std::ranges::all_of(outgoing, [](const Outgoing& each) { return each.over; }));
        return delivered;
    }

    static constexpr std::uint32_t server_places = 16;
    Random random;
    Network network;
    std::uint64_t seed, key_number = 1;
    Link link;
    bool server_takes = true;
    std::unique_ptr<native::Endpoint> server;
    std::vector<std::unique_ptr<native::Endpoint>> clients;
    std::vector<Outgoing> outgoing;
    std::map<std::pair<std::uint32_t, std::uint32_t>, Incoming> incoming;
    std::map<std::uint64_t, Counts> taken;  ///< by the server's application, of each connection of a client
    std::uint64_t delivered = 0;
};

TEST(NativeLives, nothing_is_lost_or_left) {
    std::uint64_t delivered = 0;
    for_each_seed(40, [&](std::uint64_t seed) { delivered += Lives(seed).play(); });
    print_messages(delivered);
}

}  // namespace
}  // namespace ringpost::sim
