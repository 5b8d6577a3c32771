#pragma once

#include <cstdint>

namespace ringpost::recovery {

/// Packet numbers from `first` to `last`, both included.
struct PacketRange {
    std::uint64_t first = 0, last = 0;
    bool operator==(const PacketRange&) const = default;
};

}  // namespace ringpost::recovery
