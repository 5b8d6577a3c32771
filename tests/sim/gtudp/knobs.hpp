#pragma once

// What one run of the swarm is like: which disturbances there are, how strong, and how small the tables (swarm testing:
// Groce and others, "Swarm testing", 2012). Every knob comes from the seed.

#include <cstdint>
#include <string>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/gtudp/options.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

struct Knobs {
    /// Nothing happens that may keep a message from arriving for good: then all must arrive.
    bool friendly = false;

    std::size_t nodes = 2;
    std::vector<Link> links;  ///< from * nodes + to
    gtudp::Wire wire;
    std::vector<gtudp::Options> options;  ///< of each node
    std::vector<Duration> clocks;         ///< each node's at the start

    // What happens in some steps; 0 is never, else about every so many steps.
    std::uint64_t partitions = 0, moves = 0, restarts = 0, jumps = 0, deaf = 0, cancels = 0, raws = 0, closes = 0;
    Duration jump_max = 0;
    bool deadlines = false;
    bool strays = false;  ///< sends to the sender itself, to addresses left behind, to nobody, and of too many bytes

    std::uint64_t messages = 0;   ///< in all
    std::uint64_t burst_max = 1;  ///< in one step
    std::size_t payload_bytes_max = 0;
    Duration step_max = 0;  ///< time between two steps

    std::string describe() const;
};

Knobs draw_knobs(std::uint64_t seed);

}  // namespace ringpost::sim
