#pragma once

#include <cstdint>
#include <ringpost/address.hpp>

namespace ringpost {

/// Of a port in use: `fails` at once, or after it has been in use for a second (`waits`).
enum class PortInUse : std::uint8_t { fails, waits };

/// Binds a socket of that family (bind(2)) and returns 0 or an errno. A recorded signal ends the wait for a port.
int bind_socket(int fd, Family family, const Address& address, PortInUse in_use);

}  // namespace ringpost
