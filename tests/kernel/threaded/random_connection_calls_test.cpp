// Random calls of ThreadedConnection and ThreadedServer on several threads at once, while connections and the server
// end. The oracles are that each message is delivered once, that a channel has no gaps, and that each message that was
// taken for sending is delivered or counted in the outcome.

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <ringpost/threaded_connection.hpp>
#include "tests/kernel/faces/native_face.hpp"
#include "tests/kernel/threaded/random_calls.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::test {
namespace {

class ConnectionsPlay {
  public:
    ConnectionsPlay(std::uint64_t seed, const ListenOptions& listening, const ConnectOptions& connecting)
        : server_(ThreadedServer::listen(loopback_v4(), listening).value()) {
        for (std::size_t i = 0; i < clients; ++i)
            clients_.push_back(ThreadedConnection::connect(server_.local(), connecting).value());
        on_threads(seed, [this](SplitMix64& random) { call(random); });
        for (std::size_t i = 0; i < clients; ++i) {
            std::jthread taking([this](const std::stop_token& stop) {
                while (!stop.stop_requested()) take_at_server(millisecond);
            });
            outcomes_.push_back(clients_[i].close(patience));
        }
        server_.stop(patience);
        while (take_at_server(0)) continue;
    }

    void check() const {
        std::size_t sent = 0;
        for (std::size_t i = 0; i < clients; ++i) {
            EXPECT_LE(delivered_[i], sent_[i]);
            EXPECT_LE(sent_[i] - delivered_[i], outcomes_[i].unconfirmed) << "client " << i;
            sent += sent_[i];
        }
        EXPECT_GT(sent, 0u);
        EXPECT_EQ(closed_.size(), clients);
    }

  private:
    static constexpr std::size_t clients = 3;
    static constexpr std::uint32_t per_client = 1u << 24;

    void call(SplitMix64& random) {
        const std::size_t which = random.below(clients);
        ThreadedConnection& client = clients_[which];
        switch (random.below(12)) {
            case 0:
            case 1:
            case 2:
            case 3: send(which, random); break;
            case 4:
            case 5: take_at_server(short_time(random)); break;
            case 6: client.receive(short_time(random)); break;
            case 7: answer(random); break;
            case 8:
                client.outcome();
                EXPECT_LE(client.statistics().packets_lost, client.statistics().packets_sent);
                client.path();
                break;
            case 9:
                EXPECT_LE(server_.connections(), clients);
                server_.counters();
                server_.handshake_counters();
                break;
            case 10:
                server_.peer(any_connection(random));
                EXPECT_EQ(server_.peer_name(any_connection(random)), "");
                server_.statistics(any_connection(random));
                break;
            default:
                if (random.below(30) == 0) client.close(short_time(random), 0x100, "a client's");
                if (random.below(30) == 0) server_.close(any_connection(random), now() + short_time(random), 0x200);
        }
    }

    void send(std::size_t which, SplitMix64& random) {
        const std::uint32_t count = random.below(3) == 0 ? 10 : 1;
        const std::size_t bytes = count > 1 ? 64 : 4 + random.below(random.below(10) == 0 ? 30'000 : 200);
        const auto channel = static_cast<std::uint32_t>(random.below(2));
        const std::lock_guard lock(sending_[which]);
        std::string text;
        for (std::uint32_t i = 0; i < count; ++i)
            text += numbered(static_cast<std::uint32_t>(which) * per_client + sent_[which] + i, bytes);
        if (count > 1) {
            sent_[which] += static_cast<std::uint32_t>(clients_[which].send_many(channel, as_bytes(text), bytes));
        } else {
            const native::SendResult result = clients_[which].send(channel, as_bytes(text), short_time(random));
            sent_[which] += result == native::SendResult::queued ? 1 : 0;
        }
    }

    bool take_at_server(Duration timeout) {
        const std::lock_guard lock(taking_);
        const auto event = server_.next(timeout);
        if (!event) return false;
        if (event->kind == ConnectionEvent::Kind::opened) connections_.push_back(event->connection);
        if (event->kind == ConnectionEvent::Kind::closed) closed_.push_back(event->connection);
        for (const Message& message : event->messages) {
            const std::uint32_t number = number_of(message.bytes);
            EXPECT_TRUE(seen_.insert(number).second) << "delivered twice";
            EXPECT_EQ(message.number, (next_number_[{event->connection.index, message.channel}]++)) << "a gap";
            ++delivered_.at(number / per_client);
        }
        return true;
    }

    void answer(SplitMix64& random) {
        const std::string text(random.below(3'000), 'a');
        server_.send(any_connection(random), 3, as_bytes(text), short_time(random));
    }

    /// Known, ended or never opened.
    ConnectionNumber any_connection(SplitMix64& random) {
        const std::lock_guard lock(taking_);
        if (connections_.empty() || random.below(10) == 0)
            return {static_cast<std::uint32_t>(random.below(10'000)), static_cast<std::uint32_t>(random.below(3))};
        return connections_[random.below(connections_.size())];
    }

    ThreadedServer server_;
    std::vector<ThreadedConnection> clients_;
    std::array<std::mutex, clients> sending_;
    std::array<std::uint32_t, clients> sent_{};
    std::vector<CloseOutcome> outcomes_;

    std::mutex taking_;  ///< for what follows
    std::vector<ConnectionNumber> connections_, closed_;
    std::set<std::uint32_t> seen_;
    std::map<std::pair<std::uint32_t, std::uint8_t>, std::uint64_t> next_number_;
    std::array<std::uint32_t, clients> delivered_{};
};

class RandomConnectionCallsTest : public NativeFace {};

TEST_P(RandomConnectionCallsTest, of_connections) {
    ListenOptions listen = listening();
    ConnectOptions connect = connecting();
    // Small, so that every queue is full at times.
    listen.received_bytes_max = connect.received_bytes_max = 20'000;
    listen.protocol.send_log_bytes = connect.protocol.send_log_bytes = 64u << 10;
    sim::for_each_seed(seeds, [&](std::uint64_t seed) { ConnectionsPlay(seed, listen, connect).check(); });
}

RINGPOST_ON_BOTH_BACKENDS(RandomConnectionCallsTest);

}  // namespace
}  // namespace ringpost::test
