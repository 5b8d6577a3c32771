#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "codec/relay/endpoint.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::relay {

inline const Address alice = Address::v4(10, 0, 0, 1, 4'000);
inline const Address bob = Address::v4(10, 0, 0, 2, 4'000);
inline const Address target = Address::v4(10, 0, 9, 9, 9'000);

inline Address client_address(std::uint32_t i) {
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

}  // namespace ringpost::relay
