#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <ringpost/address.hpp>
#include "codec/gtudp/options.hpp"
#include "engine/loop/open.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// The bytes of a text, and the text in some bytes: views, valid as long as what they are made from.
inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace ringpost

namespace ringpost::gtudp {

/// Options as they stand in codec/gtudp/options.hpp, with what is to be random drawn from the kernel.
Options fresh_options();

/// How a Messenger or an Engine is opened.
struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: the kernel chooses, local() tells
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;  ///< send trains, where the kernel can
    bool gro = true;  ///< receive trains, where the kernel can
    /// `start` is set on opening.
    Options protocol = fresh_options();

    // An Engine's queues; each is rounded up to a power of two, 2 to 2^20. A send or a message of more than
    // BlockPool::small_bytes takes one of the large places, of which there is one for large_share of these.
    std::uint32_t sends_max = 4'096;     ///< sends whose outcome has not been taken
    std::uint32_t receives_max = 4'096;  ///< messages that have arrived and have not been taken
};
inline constexpr std::uint32_t large_share = 32;

}  // namespace ringpost::gtudp
