#pragma once

// A network in one process: nodes that are endpoints, links that lose, delay, reorder, duplicate, corrupt and cut
// datagrams, and a clock that jumps to the next event. All random choices derive from one seed, so runs are
// reproducible.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <ringpost/endpoint.hpp>
#include <ringpost/time.hpp>
#include "tests/sim/streams.hpp"

namespace ringpost::sim {

/// Faults in one direction between two nodes. Probabilities are 0 to 1; each copy is affected independently.
struct Link {
    double loss = 0;
    double duplicate = 0;              ///< probability of a second copy
    double corrupt = 0;                ///< probability that 1 to corrupt_bits_max bits are flipped
    double truncate = 0;               ///< probability that the end is missing
    std::size_t bytes_max = SIZE_MAX;  ///< of UDP payload; larger datagrams are lost
    unsigned corrupt_bits_max = 3;
    Duration delay = millisecond;
    Duration jitter = 0;  ///< maximum extra delay of each copy; reorders copies that are closer than that
    double late = 0;      ///< probability that a copy is held up by late_by more, and overtaken
    Duration late_by = 0;
    double rate = 0;              ///< bytes per second, headers of UDP and IP included; 0: unlimited
    std::size_t queue_bytes = 0;  ///< in front of the rate; what does not fit is dropped
};

struct LinkCounters {
    std::uint64_t sent = 0, lost = 0, duplicated = 0, changed = 0, delivered = 0;
    std::uint64_t overflowed = 0;  ///< dropped as the queue was full; counted in `lost` too
};

/// One copy of a datagram as delivered to a node.
struct Delivery {
    Instant sent_at = 0, at = 0;
    NodeIndex from = 0;
    SocketIndex from_socket = 0, to_socket = 0;
    std::uint64_t ordinal = 0;            ///< number, from 0, among all datagrams sent by from_socket
    bool intact = true;                   ///< the bytes are unchanged
    std::uint32_t sent_crc = 0, crc = 0;  ///< of the bytes as they were sent and as they arrived
};

/// The fate of one datagram, in addition to the faults of its link.
struct Fate {
    unsigned copies = 1;  ///< 0: lost
    Duration later = 0;   ///< delay between copies
};

/// Random numbers that are the same on every host.
class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : engine_() % end; }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    bool chance(double p) { return static_cast<double>(engine_() >> 11) < p * 0x1p53; }
    template <class T>
    const T& one_of(std::span<const T> all) {
        return all[below(all.size())];
    }

  private:
    std::mt19937_64 engine_;
};

enum class Outcome : std::uint8_t {
    idle,      ///< nothing is in flight and no endpoint has anything to do
    at_end,    ///< the end time was reached
    livelock,  ///< turns_max turns were not enough
};

class Network {
  public:
    /// Calls of a node's poll_transmit per turn. A node with more to send continues `busy_ns` later, as with an engine
    /// whose buffers are all in flight.
    static constexpr int transmits_per_turn = 16;
    static constexpr Duration busy_ns = microsecond;
    /// The hop limit of datagrams that are sent without one. The network has no routers, which would decrement it.
    static constexpr std::uint8_t hop_limit = 64;

    explicit Network(std::uint64_t seed);
    Network(const Network&) = delete;  // its streams hold a reference to it
    Network& operator=(const Network&) = delete;

    /// Adds a node at `address`, alone on its IP: its socket i is bound to port + i. A datagram to an IPv4 multicast
    /// address goes to the same socket of every node, including the sender. An endpoint with streams accepts
    /// connections to any port. The endpoint belongs to the caller and must outlive the network. on_event(Instant,
    /// const Endpoint::Event&) is called for every event.
    template <class Endpoint, class OnEvent>
    NodeIndex add(const Address& address, Endpoint& endpoint, OnEvent on_event) {
        return add_node(address, std::make_unique<Driven<Endpoint, OnEvent>>(endpoint, std::move(on_event)));
    }
    template <class Endpoint>
    NodeIndex add(const Address& address, Endpoint& endpoint) {
        return add(address, endpoint, [](Instant, const typename Endpoint::Event&) {});
    }

    /// Sets the destination of the node's datagrams that have none.
    void connect(NodeIndex node, const Address& peer) { nodes_[node].peer = peer; }

    /// Sets the link in one direction or both. It may be changed at any time (loss 1 is a partition); datagrams in
    /// flight are not affected. Links that are not set are perfect.
    void link(NodeIndex from, NodeIndex to, const Link& link) { wires_[{from, to}].link = link; }
    void link_both(NodeIndex a, NodeIndex b, const Link& both) { link(a, b, both), link(b, a, both); }

    /// Sets the fate of the n-th datagram, from 0, that any node sends to a node.
    void decide(std::function<Fate(std::uint64_t n)> fate_of) { fate_of_ = std::move(fate_of); }

    /// Something was queued at the node's endpoint from outside: gives the node a turn.
    void wake(NodeIndex node) { nodes_[node].busy = true; }

    /// Moves the node to the unused `address`. Its datagrams have this source from now on, and those in flight to its
    /// old address are lost.
    void move(NodeIndex node, const Address& address) { nodes_[node].address = address; }

    /// Replaces the node's endpoint, as after a restart. The old one is not called again.
    template <class Endpoint, class OnEvent>
    void replace(NodeIndex node, Endpoint& endpoint, OnEvent on_event) {
        nodes_[node].driver = std::make_unique<Driven<Endpoint, OnEvent>>(endpoint, std::move(on_event));
        nodes_[node].runs = nodes_[node].host_up = true;
        wake(node);
    }

    /// Ends the node's program and its connections silently, because its host goes down. replace() starts it again.
    void kill(NodeIndex node, bool silently);
    bool is_up(NodeIndex node) const { return nodes_[node].runs; }
    /// Ends only the program; its host is up and refuses connections.
    void listen(NodeIndex node, bool listening) { nodes_[node].listening = listening; }
    Streams& streams() { return streams_; }

    /// Moves the node's own clock, which its endpoint sees, forward, or sets its initial offset.
    void jump(NodeIndex node, Duration by) {
        nodes_[node].ahead += by;
        wake(node);
    }

    /// Reports the hop limits of received datagrams to the node, as to a server that ends loops.
    void report_hop_limits(NodeIndex node) { nodes_[node].reports_hop_limits = true; }

    /// Whether the node's application polls its events; it does initially.
    void take_events(NodeIndex node, bool taking) {
        nodes_[node].taking_events = taking;
        wake(node);
    }

    /// Runs until nothing is left to do, or until `end`.
    Outcome run_until(Instant end, std::uint64_t turns_max = 1'000'000);
    Outcome run() { return run_until(never - 1); }

    Instant now() const { return now_; }
    /// By the node's own clock.
    Instant now(NodeIndex node) const { return now_ + nodes_[node].ahead; }
    const LinkCounters& counts(NodeIndex from, NodeIndex to) { return wires_[{from, to}].counts; }
    std::uint64_t sent(NodeIndex from, SocketIndex socket) { return nodes_[from].sent[socket]; }
    std::uint64_t unroutable() const { return unroutable_; }
    /// All datagrams delivered to the node, in order.
    const std::vector<Delivery>& deliveries(NodeIndex to) const { return nodes_[to].deliveries; }
    /// A digest of every datagram sent and delivered, with its time; equal for equal runs.
    std::uint64_t trace_hash() const { return trace_hash_; }

  private:
    /// The five calls of an endpoint as a virtual interface.
    struct Driver {
        virtual ~Driver() = default;
        virtual void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) = 0;
        virtual void handle_timeout(Instant now) = 0;
        virtual std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) = 0;
        virtual void drain_events(Instant now) = 0;
        virtual std::optional<Instant> poll_timeout() const = 0;
        virtual std::optional<StreamIndex> accept(Instant now, const Address& peer) = 0;
        virtual void handle_stream(Instant now, const StreamInput& in) = 0;
        virtual std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out) = 0;
    };

    template <class Endpoint, class OnEvent>
    struct Driven : Driver {
        Driven(Endpoint& driven, OnEvent call) : endpoint(driven), on_event(std::move(call)) {}
        void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) override {
            if constexpr (RetainingEndpoint<Endpoint>) {
                endpoint.handle_train(now, train, segment_bytes);
                // Events point into the datagram or into copies, about equally often.
                if (++trains % 2 == 0) drain_events(now);
                endpoint.retain();
            } else if constexpr (TrainEndpoint<Endpoint>) {
                endpoint.handle_train(now, train, segment_bytes);
            } else {
                for_each_segment(train, segment_bytes, [&](const Datagram& in) { endpoint.handle(now, in); });
            }
        }
        void handle_timeout(Instant now) override { endpoint.handle_timeout(now); }
        std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) override {
            return endpoint.poll_transmit(now, out);
        }
        void drain_events(Instant now) override {
            while (const auto event = endpoint.poll_event()) on_event(now, *event);
        }
        std::optional<Instant> poll_timeout() const override { return endpoint.poll_timeout(); }
        std::optional<StreamIndex> accept(Instant now, const Address& peer) override {
            if constexpr (has_streams) return endpoint.accept(now, peer);
            return std::nullopt;
        }
        void handle_stream(Instant now, const StreamInput& in) override {
            if constexpr (has_streams) endpoint.handle(now, in);
        }
        std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out) override {
            if constexpr (has_streams) return endpoint.poll_stream(now, out);
            return std::nullopt;
        }

        static constexpr bool has_streams = requires(Endpoint& any, const StreamInput& in) { any.handle(0, in); };
        Endpoint& endpoint;
        OnEvent on_event;
        std::uint64_t trains = 0;
    };

    struct Node {
        Address address, peer;
        std::unique_ptr<Driver> driver;
        std::vector<std::vector<std::byte>> buffers;  ///< used in turn, with contents kept, as in an engine
        std::size_t next_buffer = 0;
        bool busy = false;  ///< has more to send than fits in one turn
        bool taking_events = true;
        bool reports_hop_limits = false;
        bool runs = true, host_up = true, listening = true;
        Duration ahead = 0;  ///< its clock minus the network's
        std::map<SocketIndex, std::uint64_t> sent;
        std::vector<Delivery> deliveries;
    };

    struct Wire {
        Link link;
        LinkCounters counts;
        double free_at = 0;  ///< ns; when everything queued for the rate has left
    };

    struct Packet {
        Delivery delivery;
        Address source, target;  ///< addresses of the nodes, with the ports of their sockets 0
        NodeIndex to = 0;
        std::uint8_t hop_limit = 0;
        std::uint64_t serial = 0;  ///< datagrams due at the same time arrive in the order sent
        std::vector<std::byte> bytes;

        bool follows(const std::vector<Packet>& train) const;
    };
    struct Later {
        bool operator()(const Packet& a, const Packet& b) const {
            return std::pair(a.delivery.at, a.serial) > std::pair(b.delivery.at, b.serial);
        }
    };

    NodeIndex add_node(const Address& address, std::unique_ptr<Driver> driver);
    std::optional<Instant> next_wake_up() const;
    void turn();
    std::vector<Packet> take_train();
    void deliver(const std::vector<Packet>& train);
    void drain(NodeIndex from);
    void send_train(NodeIndex from, const Transmit& transmit, std::span<const std::byte> bytes);
    void send(NodeIndex from, const Transmit& transmit, std::span<const std::byte> bytes);
    void send_to(NodeIndex from, NodeIndex to, Packet packet);
    void send_copy(Wire& wire, Packet packet, Duration later);
    std::optional<Duration> queue(Wire& wire, std::size_t bytes);
    void drain_streams(NodeIndex from);
    Streams::World world();
    /// Returns the CRC-32C of `bytes`.
    std::uint32_t trace(std::uint64_t what, std::span<const std::byte> bytes);

    Random random_;
    Instant now_ = 0;
    std::vector<Node> nodes_;
    std::map<std::pair<NodeIndex, NodeIndex>, Wire> wires_;
    std::priority_queue<Packet, std::vector<Packet>, Later> in_flight_;
    std::function<Fate(std::uint64_t)> fate_of_;
    Streams streams_;
    std::vector<std::byte> stream_buffer_;
    std::uint64_t routed_ = 0, serial_ = 0, unroutable_ = 0, trace_hash_ = 0;
};

}  // namespace ringpost::sim
