#pragma once

#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/options.hpp>

#include "codec/gtudp/options.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::gtudp {

/// Options with the defaults of codec/gtudp/options.hpp, and keys and identities drawn from the kernel.
Options fresh_options();

/// How a Messenger or a ThreadedMessenger is opened.
struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: the kernel chooses; local() returns it
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;  ///< send trains where the kernel can
    bool gro = true;  ///< receive trains where the kernel can
    /// `start` is set on opening.
    Options protocol = fresh_options();

    // Queues of a ThreadedMessenger; each is rounded up to a power of two, 2 to 2^20. A send or a message larger than
    // BlockPool::small_bytes takes a large block, of which there is one for every large_share of these.
    std::uint32_t sends_max = 4'096;     ///< sends whose outcome has not been taken
    std::uint32_t receives_max = 4'096;  ///< messages that have arrived and have not been taken
};
inline constexpr std::uint32_t large_share = 32;

}  // namespace ringpost::gtudp
