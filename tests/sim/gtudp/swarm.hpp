#pragma once

// Several gtUDP endpoints that exchange random messages under random faults, configured by the knobs and checked by an
// oracle (delivery_oracle.hpp).

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "codec/gtudp/endpoint.hpp"
#include "tests/sim/gtudp/delivery_oracle.hpp"
#include "tests/sim/gtudp/knobs.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

class Swarm {
  public:
    /// A run with more turns of the network is a livelock.
    static constexpr std::uint64_t turns_max = 300'000;
    /// The longest partition and the longest delay of an application.
    static constexpr Duration trouble_max = 5 * second;

    explicit Swarm(std::uint64_t seed);

    /// Plays the run until it is idle and lets the oracle check it. Reports failures to gtest.
    void play();

    const Knobs& knobs() const { return knobs_; }
    std::uint64_t trace_hash() const { return network_.trace_hash(); }
    /// Of all lives of all nodes.
    const std::vector<gtudp::Counters>& counters() const { return counts_; }

  private:
    struct Node {
        std::unique_ptr<gtudp::Endpoint> endpoint;
        gtudp::Options options;
        std::vector<Address> addresses;  ///< the last is the current one
        std::vector<gtudp::ExchangeId> ids;
        bool closed = false;
        std::optional<Instant> paused_until;  ///< by the network's clock
    };
    struct Partition {
        NodeIndex from, to;
        Instant until;
    };

    void step();
    void end_troubles(Instant now);
    void happen();
    bool run_until(Instant end);

    void send_some();
    Address target_of(NodeIndex from);
    std::vector<std::byte> payload();
    void send_raw();
    std::vector<std::byte> raw_bytes(NodeIndex from);
    void cancel_one();
    void close_one();
    void part();
    void move_one();
    void restart_one();
    void jump_one();
    void deafen_one();

    auto listener(NodeIndex node) {
        return [this, node](Instant now, const gtudp::Event& event) { oracle_.on_event(node, now, event); };
    }
    void end_life(NodeIndex node);
    void expect_nothing_leaked(Node& node);
    NodeIndex any_node() { return random_.below(nodes_.size()); }

    Knobs knobs_;
    Random random_;
    Network network_;
    DeliveryOracle oracle_;
    std::vector<Node> nodes_;
    std::vector<Partition> partitions_;
    std::vector<gtudp::Counters> counts_;
    std::uint64_t sent_ = 0;
};

}  // namespace ringpost::sim
