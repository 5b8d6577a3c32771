#pragma once

// Judges what gtUDP endpoints deliver and report by what was given to them, and by nothing else: it knows no frame, no
// table and no timer of theirs. It is told of every call of an application and of every event, and says what is wrong
// as a failure of the test that runs.
//
// What must hold on any network:
// * What comes as a message was sent as one, by who it says, to who got it; and what comes as foreign was sent raw.
// * One life of a receiver gets a message from one address once within the remembered window, by the receiver's clock.
//   Receivers that forget early say so: each such count excuses one repetition.
// * A send that is taken has one outcome, the right one of those possible, and one that is refused has none. Those a
//   restart cuts off have none.
// * What is confirmed has been delivered.
// * The counts of an endpoint are what was seen of it, and add up.
//
// gtUDP has no checksum, UDP has. When the simulated link changes bytes all the same, one changed datagram can carry a
// message under another's identity, which then is confirmed without having been delivered, or the same message under an
// unused one, which delivers it again; or it can turn a RECV into the RECV of another exchange. It does one of these
// things once. So the datagrams changed between two nodes bound how often the rules may be broken between them.

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
    /// What it has to know of a node.
    struct Terms {
        Duration remembered = 0;
        std::uint32_t data_sends_max = 0;
        bool recv_from_any = false;
        Duration events_behind_max = 0;  ///< so late its application may take an event; 0: always at once
    };

    /// The network stays the caller's.
    explicit DeliveryOracle(Network& network) : network_(network) {}

    /// A node, numbered as in the network, at its first address.
    void add(const Address& address, const Terms& terms);
    /// The node is at `address` from now on; it is still known by those it had.
    void moved(NodeIndex node, const Address& address) { whose_[address] = node; }

    /// Endpoint::send() of `bytes` to `to` was called, and answered so.
    void sent(NodeIndex from, const Address& to, std::span<const std::byte> bytes, Instant deadline,
              const std::expected<gtudp::ExchangeId, gtudp::Refusal>& answer);
    /// Endpoint::send_raw() was called; `taken` is its answer.
    void sent_raw(NodeIndex from, const Address& to, std::span<const std::byte> bytes, bool taken);
    /// Endpoint::cancel() was called; `answer` is its own.
    void cancelled(NodeIndex from, gtudp::ExchangeId id, bool answer);
    void on_event(NodeIndex at, Instant now, const gtudp::Event& event);

    /// The node's endpoint, whose every event has been told, is not used any more: it restarts, or all is over.
    void ended(NodeIndex node, const gtudp::Endpoint& endpoint);

    /// All is over: ended() was called for every node.
    void expect_truth() const;
    /// Every message taken was delivered and confirmed: the network was friendly enough for it.
    void expect_all_arrived() const;

  private:
    static constexpr NodeIndex nobody = SIZE_MAX;

    /// All messages of the same bytes from one node to another: which of them has come is not to be told.
    struct ContentKey {
        NodeIndex from = 0, to = 0;
        std::string bytes;
        auto operator<=>(const ContentKey&) const = default;
    };
    /// To one life of a receiver from one address.
    struct Came {
        std::vector<Instant> at;
        std::uint64_t late = 0;    ///< again, when the remembered window had gone by
        std::uint64_t excess = 0;  ///< again, within it: the most so far
    };
    struct Content {
        std::uint64_t sends = 0, confirmed = 0, delivered = 0;
        std::map<std::uint64_t, std::map<Address, Came, AddressLess>> came;  ///< by life
    };
    using Contents = std::map<ContentKey, Content>;

    struct Open {
        Address to;
        Contents::value_type* message = nullptr;
        gtudp::Identity identity = 0;
        Instant deadline = never;
        bool cancelled = false;
    };
    /// From an endpoint's construction to its end.
    struct Life {
        std::uint64_t taken = 0, raw_taken = 0;
        std::array<std::uint64_t, 5> refused{};        ///< by Refusal
        std::array<std::uint64_t, 4> outcomes{};       ///< by Outcome
        std::uint64_t data_sent = 0, data_resent = 0;  ///< of what has an outcome
        std::uint64_t messages = 0, foreign = 0;
        std::map<std::uint32_t, Open> open;  ///< by ExchangeId::index
    };
    struct Node {
        Terms terms;
        std::uint64_t lives = 0;  ///< that are over
        Life life;
        std::uint64_t datagrams_sent = 0, datagrams_received = 0, forgotten_early = 0;  ///< of all lives
    };
    /// One way between two nodes.
    struct Way {
        std::uint64_t unknown = 0;  ///< came, and was never sent
        std::uint64_t repeats = 0;  ///< came too often
        std::uint64_t raw_sent = 0, raw_came = 0;
    };

    void on_message(NodeIndex at, Instant now, const gtudp::Event& event);
    void on_foreign(NodeIndex at, const gtudp::Event& event);
    void on_outcome(NodeIndex at, Instant now, const gtudp::Event& event);
    NodeIndex node_of(const Address& address) const;
    std::uint64_t changed(NodeIndex from, NodeIndex to) const;
    std::uint64_t hollow(NodeIndex from, NodeIndex to) const;

    Network& network_;
    std::vector<Node> nodes_;
    std::map<Address, NodeIndex, AddressLess> whose_;
    Contents messages_, raws_;
    std::map<std::pair<NodeIndex, NodeIndex>, Way> ways_;
};

}  // namespace ringpost::sim
