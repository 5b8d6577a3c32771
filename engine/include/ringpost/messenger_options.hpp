#pragma once

#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/options.hpp>
#include <vector>

#include "codec/gtudp/options.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::gtudp {

/// The defaults of codec/gtudp/options.hpp, with random keys and identities (getrandom).
Options fresh_options();

/// For Messenger and ThreadedMessenger.
struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: chosen by the kernel, see local()
    /// The only peer; replaces `bind`. The kernel then reports its port or host as unreachable
    /// (EngineCounters::unreachable). Family::none: any peer.
    Address connect{};
    /// Receive only from these networks; empty: from all. Others are dropped (EngineCounters::not_allowed).
    /// The initializer avoids -Wmissing-field-initializers.
    std::vector<Subnet> allowed{};  // NOLINT(readability-redundant-member-init)
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;  ///< send trains (UDP_SEGMENT) if the kernel supports it
    bool gro = true;  ///< receive trains (UDP_GRO) if the kernel supports it
    /// `start` is set by open().
    Options protocol = fresh_options();

    // Queue capacities of a ThreadedMessenger, each rounded up to a power of two from 2 to 2^20. A payload larger than
    // BlockPool::small_bytes needs a large block; there is one large block per large_share entries.
    std::uint32_t sends_max = 4'096;     ///< sends whose outcome has not been taken
    std::uint32_t receives_max = 4'096;  ///< received messages that have not been taken
};
inline constexpr std::uint32_t large_share = 32;

}  // namespace ringpost::gtudp
