#pragma once

#include <cstdint>

namespace ringpost::recovery {

/// Packet numbers from `first` to `last`, both included.
struct PacketRange {
    std::uint64_t first, last;
    bool operator==(const PacketRange&) const = default;
};

}  // namespace ringpost::recovery
