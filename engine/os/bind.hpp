#pragma once

#include <cstdint>
#include <ringpost/address.hpp>

namespace ringpost {

/// What bind_socket() does if the port is in use: fail at once, or retry for a second.
enum class PortInUse : std::uint8_t { fails, waits };

/// Binds a socket of that family (bind(2)) and returns 0 or an errno. A recorded signal ends the wait for a port.
int bind_socket(int fd, Family family, const Address& address, PortInUse in_use);

}  // namespace ringpost
