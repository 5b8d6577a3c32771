#pragma once

// What the kernel knows of a network interface and of the processors, for the records of measurements: ethtool(8),
// /sys and /proc. What a system does not show is missing.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>

namespace ringpost {

struct InterfaceFacts {
    std::string name;
    std::optional<std::string> driver;
    std::optional<std::uint32_t> mtu_bytes;
    std::optional<std::uint32_t> speed_mbit;
    std::optional<std::uint32_t> numa_node;
    std::vector<std::pair<std::string, bool>> offloads;     ///< features by ethtool's names, and whether they are on
    std::vector<std::pair<std::string, std::string>> irqs;  ///< numbers, and the cores that may serve them: `0-3`
};

/// The interface that has the address, or null if none has it.
std::optional<InterfaceFacts> interface_facts(const Address& local);

/// How the kernel chooses each core's frequency; the same entry once. Empty if it does not.
std::vector<std::string> cpu_governors();

/// NUMA nodes with processors, or null.
std::optional<std::uint32_t> numa_nodes();

}  // namespace ringpost
