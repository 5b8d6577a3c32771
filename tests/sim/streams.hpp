#pragma once

// The streams of a simulated network: connections that take time, split data at arbitrary points, apply back-pressure,
// break, and die silently. Used by Network (network.hpp), which passes requests and inputs between streams and nodes.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>

namespace ringpost::sim {

using NodeIndex = std::size_t;
class Random;

/// Transport properties of streams.
struct StreamKnobs {
    std::size_t cut_bytes_max = SIZE_MAX;  ///< a write arrives in pieces of 1 to this many bytes; SIZE_MAX: available
                                           ///< bytes arrive together
    std::size_t window_bytes = 64 << 10;   ///< bytes in flight before `written` waits for the peer to read
};

struct StreamCounters {
    std::uint64_t connects = 0, accepted = 0, inputs = 0, bytes = 0;
};

class Streams {
  public:
    /// Callbacks to the network.
    struct World {
        std::function<std::optional<NodeIndex>(const Address&)> node_at;
        std::function<bool(NodeIndex, const Address&)> is_at;  ///< whether the host is up and has this address
        std::function<bool(NodeIndex)> listens;                ///< whether its program is running
        std::function<bool(NodeIndex from, NodeIndex to)> is_cut;
        std::function<Duration(NodeIndex from, NodeIndex to)> delay;
        std::function<std::optional<StreamIndex>(NodeIndex, const Address& peer)> accept;
        std::function<void(NodeIndex, const StreamInput&)> input;
    };

    Streams(World world, Random& random) : world_(std::move(world)), random_(random) {}

    StreamKnobs knobs;

    void request(Instant now, NodeIndex node, const Address& own, const StreamRequest& request,
                 std::span<const std::byte> bytes);
    /// Delivers what is due.
    void step(Instant now);
    std::optional<Instant> next() const;

    /// Breaks every connection between two nodes, as a middlebox may.
    void reset(Instant now, NodeIndex a, NodeIndex b);
    /// Ends the node's program. Its host reports that to every peer, unless it goes down as well.
    void kill(Instant now, NodeIndex node, bool silently);

    const StreamCounters& counters() const { return counts_; }
    /// Connections between two nodes that are open at both ends.
    std::size_t standing(NodeIndex a, NodeIndex b) const;

  private:
    struct Item {
        enum class Kind : std::uint8_t { syn, standing, bytes, fin, reset, refused } kind = Kind::bytes;
        Instant at = 0;
        std::vector<std::byte> bytes;
    };
    struct End {
        NodeIndex node = 0;
        StreamIndex index = 0;
        bool alive = false;  ///< known to the driver
        bool paused = false, writing = false;
        std::deque<Item> coming;  ///< in flight to this end, in order
        std::size_t coming_bytes = 0;
    };
    struct Wire {
        std::array<End, 2> ends;  ///< the first is the connecting end
        Address from, to;
        bool over = false;
    };

    void push(Instant now, Wire& wire, std::size_t towards, Item::Kind kind, std::span<const std::byte> bytes = {});
    bool step(Instant now, Wire& wire, std::size_t towards);
    void arrive(Instant now, Wire& wire, std::size_t towards, Item item);
    void arrive_bytes(Instant now, Wire& wire, std::size_t towards, Item item);
    void dispatch(End& end, StreamInput input);
    Wire* find(NodeIndex node, StreamIndex index, std::size_t& end);

    World world_;
    Random& random_;
    std::vector<std::unique_ptr<Wire>> wires_;
    std::uint16_t next_port_ = 40'000;
    StreamCounters counts_;
};

}  // namespace ringpost::sim
