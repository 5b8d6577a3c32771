#pragma once

// Checks what gtUDP endpoints deliver and report against what they were given. It knows none of their frames, tables
// and timers. Every call of an application and every event is passed to it, and it reports violations as failures of
// the running test.
//
// The rules on any network:
// * A delivered message was sent as one, by its source, to its receiver. A foreign datagram was sent raw.
// * One life of a receiver delivers a message from one address once within the remembered window, by the receiver's
//   clock. Receivers count early evictions; each count excuses one repetition.
// * An accepted send has one outcome, which must be possible; a refused send has none. A send cut off by a restart has
//   none.
// * A confirmed message has been delivered.
// * The counters of an endpoint match what was observed, and add up.
//
// gtUDP has no checksum, but UDP has. If the simulated link corrupts bytes nevertheless, a changed datagram can carry a
// message under another identity, which is then confirmed without having been delivered, or the same message under an
// unused identity, which delivers it again; or a RECV can become the RECV of another exchange. Each changed datagram
// does one of these once. The number of changed datagrams between two nodes therefore bounds the violations between
// them.

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/gtudp/endpoint.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

struct AddressLess {
    bool operator()(const Address& a, const Address& b) const {
        return std::tie(a.ip, a.scope, a.port, a.family) < std::tie(b.ip, b.scope, b.port, b.family);
    }
};

class DeliveryOracle {
  public:
    /// Properties of a node that the oracle needs.
    struct Terms {
        Duration remembered = 0;
        std::uint32_t data_sends_max = 0;
        bool windows = true;  ///< congestion control
        Duration patience = 0;
        bool recv_from_any = false;
        Duration events_behind_max = 0;  ///< how late its application may poll an event; 0: always at once
    };

    /// The network belongs to the caller.
    explicit DeliveryOracle(Network& network) : network_(network) {}

    /// Adds a node, with the network's index, at its first address.
    void add(const Address& address, const Terms& terms);
    /// The node is at `address` from now on. Its previous addresses remain known.
    void moved(NodeIndex node, const Address& address) { owners_[address] = node; }

    /// Endpoint::send() of `bytes` to `to` was called and returned `answer`.
    void sent(NodeIndex from, const Address& to, std::span<const std::byte> bytes, Instant deadline,
              const std::expected<gtudp::ExchangeId, gtudp::Refusal>& answer);
    /// Endpoint::send_raw() was called and returned `taken`.
    void sent_raw(NodeIndex from, const Address& to, std::span<const std::byte> bytes, bool taken);
    /// Endpoint::cancel() was called and returned `answer`.
    void cancelled(NodeIndex from, gtudp::ExchangeId id, bool answer);
    void on_event(NodeIndex at, Instant now, const gtudp::Event& event);

    /// The node's endpoint is no longer used, because of a restart or the end of the run. All its events have been
    /// passed.
    void ended(NodeIndex node, const gtudp::Endpoint& endpoint);

    /// The run is over. ended() has been called for every node.
    void expect_truth() const;
    /// Checks that every accepted message was delivered and confirmed, for networks that permit it.
    void expect_all_arrived() const;

  private:
    static constexpr NodeIndex no_node = SIZE_MAX;

    /// All messages with the same bytes from one node to another. Which of them was delivered cannot be determined.
    struct ContentKey {
        NodeIndex from = 0, to = 0;
        std::string bytes;
        auto operator<=>(const ContentKey&) const = default;
    };
    /// Deliveries to one life of a receiver from one address.
    struct Deliveries {
        std::vector<Instant> at;
        std::uint64_t late = 0;    ///< repeated after the remembered window
        std::uint64_t excess = 0;  ///< repeated within the window; the maximum so far
    };
    struct Content {
        std::uint64_t sends = 0, confirmed = 0, delivered = 0;
        std::map<std::uint64_t, std::map<Address, Deliveries, AddressLess>> deliveries;  ///< by life
    };
    using Contents = std::map<ContentKey, Content>;

    struct Open {
        Address to;
        Contents::value_type* message = nullptr;
        gtudp::Identity identity = 0;
        Instant sent_at = 0, deadline = never;
        bool cancelled = false;
    };
    /// From an endpoint's construction to its end.
    struct Life {
        std::uint64_t taken = 0, raw_taken = 0;
        std::array<std::uint64_t, 5> refused{};        ///< by Refusal
        std::array<std::uint64_t, 4> outcomes{};       ///< by Outcome
        std::uint64_t data_sent = 0, data_resent = 0;  ///< of sends with an outcome
        bool sends_unknown = false;                    ///< an outcome had as many as can be counted
        std::uint64_t messages = 0, foreign = 0;
        std::map<std::uint32_t, Open> open;  ///< by ExchangeId::index
    };
    struct Node {
        Terms terms;
        std::uint64_t lives = 0;  ///< completed ones
        Life life;
        std::uint64_t datagrams_sent = 0, datagrams_received = 0, forgotten_early = 0;  ///< of all lives
    };
    /// One direction between two nodes.
    struct Way {
        std::uint64_t unknown = 0;  ///< delivered, but never sent
        std::uint64_t repeats = 0;  ///< delivered too often
        std::uint64_t raw_sent = 0, raw_came = 0;
    };

    void on_message(NodeIndex at, Instant now, const gtudp::Event& event);
    void on_foreign(NodeIndex at, const gtudp::Event& event);
    void on_outcome(NodeIndex at, Instant now, const gtudp::Event& event);
    NodeIndex node_of(const Address& address) const;
    std::uint64_t changed(NodeIndex from, NodeIndex to) const;
    std::uint64_t unfounded(NodeIndex from, NodeIndex to) const;

    Network& network_;
    std::vector<Node> nodes_;
    std::map<Address, NodeIndex, AddressLess> owners_;
    Contents messages_, raws_;
    std::map<std::pair<NodeIndex, NodeIndex>, Way> ways_;
};

}  // namespace ringpost::sim
