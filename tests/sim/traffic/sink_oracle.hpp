#pragma once

// What a sink should report. The oracle reads no frames: the network numbers the datagrams of each socket, and that
// number is the sequence.

#include <map>
#include <set>

#include "tests/sim/network.hpp"

namespace ringpost::sim {

/// RFC 4737, section 3.3: a datagram is reordered if it arrives after one that was sent later.
struct SinkOracle {
    std::uint64_t received = 0, duplicate = 0, reordered = 0, corrupt = 0, lost = 0, tail = 0;

    SinkOracle(Network& network, NodeIndex source, NodeIndex sink, std::uint32_t flows) {
        std::map<SocketIndex, std::set<std::uint64_t>> seen;
        for (const Delivery& delivery : network.deliveries(sink)) {
            ++received;
            auto& flow = seen[delivery.from_socket];
            if (!delivery.intact)
                ++corrupt;
            else if (flow.contains(delivery.ordinal))
                ++duplicate;
            else {
                reordered += !flow.empty() && *flow.rbegin() > delivery.ordinal;
                flow.insert(delivery.ordinal);
            }
        }
        for (std::uint32_t flow = 0; flow < flows; ++flow) {
            const std::uint64_t end = seen[flow].empty() ? 0 : *seen[flow].rbegin() + 1;
            lost += end - seen[flow].size();
            tail += network.sent(source, flow) - end;
        }
    }
};

}  // namespace ringpost::sim
