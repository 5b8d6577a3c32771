#pragma once

#include <cstdint>

namespace ringpost {

/// What is sent to this port may come back for ever: nothing is answered there. Echo (RFC 862), chargen (RFC 864), and
/// 0, which nobody can have sent from.
constexpr bool reflects(std::uint16_t port) { return port == 7 || port == 19 || port == 0; }

}  // namespace ringpost
