#pragma once

#include <cstdint>

namespace ringpost {

/// Whether replies to this port could be returned for ever, so that nothing must be sent to it: echo (RFC 862), chargen
/// (RFC 864), and 0, which is not a valid source port.
constexpr bool reflects(std::uint16_t port) { return port == 7 || port == 19 || port == 0; }

}  // namespace ringpost
