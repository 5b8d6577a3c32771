#pragma once

#include <cstdint>

namespace ringpost {

enum class CongestionControl : std::uint8_t {
    cubic,  ///< RFC 9438 with HyStart++ (RFC 9406): shares a path with others
    fixed,  ///< FixedRate: for networks that are reserved for it
};

/// A constant rate and window. A breaker protects others when the assumption is wrong: more than a tenth of the packets
/// lost for three seconds halves both. Three seconds without that double them again, up to what was asked for.
struct FixedRate {
    double rate = 0;           ///< bytes per second; 0: not paced
    std::uint64_t window = 0;  ///< bytes in flight; 0: as many as the packets in flight allow
    bool breaker = true;
};

}  // namespace ringpost
