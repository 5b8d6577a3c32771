#pragma once

// What the faces return as memory_bytes(): upper bounds of what open() reserves, which a test compares with what the
// process maps.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <ringpost/gtudp.hpp>
#include "codec/base/limits.hpp"

namespace ringpost {

/// A backend with its buffers: those for receiving and sending, and the provided ones of a ring.
inline std::size_t engine_budget(std::string_view backend) { return backend == "uring" ? 10u << 20 : 5u << 20; }

namespace gtudp {

/// An endpoint: for each entry of its tables what that needs in all of them, and its queues.
inline std::size_t endpoint_budget(const ProtocolOptions& options) {
    const bool windows = options.congestion != CongestionControl::fixed;
    const std::size_t send_bytes = windows ? 128 : 120, peer_bytes = windows ? 488 : 208;
    constexpr std::size_t receive_bytes = 88, fixed_bytes = 5u << 19;
    return options.sends_max * send_bytes + options.receives_max * receive_bytes + options.peers_max * peer_bytes +
           options.payload_bytes + options.payload_bytes / 16 + options.event_bytes + fixed_bytes;
}

/// The queues of a ThreadedMessenger, in which an entry has a small block, and one of large_share a large one.
inline std::size_t queues_budget(const OpenOptions& options) {
    constexpr std::size_t small_bytes = 2'048, large_bytes = 65'536, entry_bytes = 512;
    const auto bytes_of = [](std::uint32_t wanted) {
        const std::size_t entries = std::bit_ceil(std::max(wanted, 2u));
        return entries * (small_bytes + entry_bytes) + std::max<std::size_t>(entries / large_share, 2) * large_bytes;
    };
    return bytes_of(options.sends_max) + bytes_of(options.receives_max);
}

}  // namespace gtudp

}  // namespace ringpost
