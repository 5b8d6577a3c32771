#pragma once

// The smallest gtUDP networks: two endpoints with the oracle, or one endpoint and a scripted probe.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/base/bytes.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "tests/sim/gtudp/delivery_oracle.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/probe.hpp"

namespace ringpost::sim {

inline const std::array<Address, 2> duo_addresses = {Address::v4(10, 0, 0, 1, 1'000), Address::v4(10, 0, 0, 2, 2'000)};

/// The defaults with small tables and fixed random values.
inline gtudp::Options small_options(std::uint64_t seed) {
    gtudp::Options options;
    options.sends_max = options.receives_max = 256;
    options.peers_max = 64;
    options.payload_bytes = 64 << 10;
    options.event_bytes = 128 << 10;
    options.first_identity = static_cast<gtudp::Identity>(0u - seed);
    options.seed = seed;
    options.key = {seed, ~seed};
    return options;
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Two endpoints, nodes 0 and 1, and the oracle.
struct Duo {
    Duo(std::uint64_t seed, const gtudp::Options& options, const Link& link) : network(seed), oracle(network) {
        for (NodeIndex node = 0; node < 2; ++node) {
            gtudp::Options own = options;
            own.seed += node;
            own.first_identity += static_cast<gtudp::Identity>(node);
            endpoints[node] = std::make_unique<gtudp::Endpoint>(own);
            oracle.add(duo_addresses[node], {.remembered = own.remembered,
                                             .data_sends_max = own.resending.data_sends_max,
                                             .patience = own.resending.effective_patience()});
            network.add(duo_addresses[node], *endpoints[node],
                        [this, node](Instant now, const gtudp::Event& event) { oracle.on_event(node, now, event); });
        }
        network.link_both(0, 1, link);
    }

    /// Sends to the other endpoint.
    void send(NodeIndex from, std::string_view text) {
        const Address& to = duo_addresses[1 - from];
        const auto answer = endpoints[from]->send(network.now(from), to, bytes_of(text));
        EXPECT_TRUE(answer.has_value());
        oracle.sent(from, to, bytes_of(text), never, answer);
        network.wake(from);
    }

    /// Runs until the network is idle. Then everything must have arrived.
    void finish() {
        ASSERT_EQ(network.run(), Outcome::idle);
        for (NodeIndex node = 0; node < 2; ++node) oracle.ended(node, *endpoints[node]);
        oracle.expect_truth();
        oracle.expect_all_arrived();
    }

    Network network;
    DeliveryOracle oracle;
    std::array<std::unique_ptr<gtudp::Endpoint>, 2> endpoints;
};

/// An endpoint and a probe on a deterministic link; datagrams arrive after `delay`.
struct Duel {
    static constexpr Duration delay = 5 * millisecond;

    struct Message {
        Instant at;
        Address from;
        std::string text;
    };
    struct End {
        Instant at;
        gtudp::Event event;
    };

    explicit Duel(const gtudp::Options& options) : network(1), endpoint(options) {
        network.add(duo_addresses[0], endpoint, [this](Instant now, const gtudp::Event& event) {
            if (event.kind == gtudp::Event::Kind::outcome) return ends.push_back({now, event});
            const auto* text = reinterpret_cast<const char*>(event.bytes.data());
            messages.push_back({now, event.peer, event.bytes.empty() ? "" : std::string(text, event.bytes.size())});
        });
        network.add(duo_addresses[1], probe);
        network.link_both(0, 1, {.delay = delay});
    }

    gtudp::ExchangeId send(const Address& to, std::string_view text) {
        const auto answer = endpoint.send(network.now(), to, bytes_of(text));
        EXPECT_TRUE(answer.has_value());
        network.wake(0);
        return answer.value_or(gtudp::ExchangeId{});
    }

    /// The probe sends a frame of the default wire from `socket` to the endpoint.
    void send_frame(Instant at, gtudp::Kind kind, gtudp::Identity identity, std::string_view text = "",
                    SocketIndex socket = 0) {
        std::vector<std::byte> bytes(5);
        bytes[0] = std::array{std::byte{0x1d}, std::byte{0x5f}, std::byte{0xae}}[static_cast<std::size_t>(kind)];
        store_be(&bytes[1], identity);
        const auto data = bytes_of(text);
        bytes.insert(bytes.end(), data.begin(), data.end());
        probe.send(at, duo_addresses[0], std::move(bytes), socket);
    }

    /// The times at which the endpoint sent a frame of this kind to `socket`, judged by the first byte of the default
    /// wire.
    std::vector<Instant> sent_times(std::byte kind, SocketIndex socket = 0) const {
        std::vector<Instant> out;
        for (const Probe::Received& received : probe.received)
            if (!received.bytes.empty() && received.bytes[0] == kind && received.socket == socket)
                out.push_back(received.at - delay);
        return out;
    }
    std::vector<Instant> datas(SocketIndex socket = 0) const { return sent_times(std::byte{0x1d}, socket); }
    std::vector<Instant> recvs(SocketIndex socket = 0) const { return sent_times(std::byte{0x5f}, socket); }
    std::vector<Instant> acks(SocketIndex socket = 0) const { return sent_times(std::byte{0xae}, socket); }

    static Address probe_at(SocketIndex socket) {
        Address address = duo_addresses[1];
        address.port = static_cast<std::uint16_t>(address.port + socket);
        return address;
    }

    Network network;
    gtudp::Endpoint endpoint;
    Probe probe;
    std::vector<Message> messages;
    std::vector<End> ends;
};

}  // namespace ringpost::sim
