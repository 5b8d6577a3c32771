#pragma once

// The configuration of a run of the swarm: which faults occur, how strong they are, and the table sizes (swarm testing:
// Groce et al., "Swarm testing", 2012). All knobs derive from the seed.

#include <cstdint>
#include <string>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/gtudp/options.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

struct Knobs {
    /// No fault can prevent delivery for ever, so all messages must arrive.
    bool friendly = false;

    std::size_t nodes = 2;
    std::vector<Link> links;  ///< from * nodes + to
    gtudp::Wire wire;
    std::vector<gtudp::Options> options;  ///< of each node
    std::vector<Duration> clocks;         ///< initial time of each node

    // How often events happen: 0 is never, otherwise once in about this many steps.
    std::uint64_t partitions = 0, moves = 0, restarts = 0, jumps = 0, deaf = 0, cancels = 0, raws = 0, closes = 0;
    Duration jump_max = 0;
    bool deadlines = false;
    bool strays = false;  ///< sends to the sender itself, to former addresses, to unused ones, and of too many bytes

    std::uint64_t messages = 0;   ///< in total
    std::uint64_t burst_max = 1;  ///< in one step
    std::size_t payload_bytes_max = 0;
    Duration step_max = 0;  ///< time between two steps

    std::string describe() const;
};

Knobs draw_knobs(std::uint64_t seed);

}  // namespace ringpost::sim
