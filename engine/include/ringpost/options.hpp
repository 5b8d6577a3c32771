#pragma once

// Options of every engine.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringpost {

enum class WaitMode : std::uint8_t {
    block,     ///< sleep in the kernel whenever there is nothing to do
    spin,      ///< never sleep: the lowest latency, a whole core
    adaptive,  ///< spin for a while after the last work and before a deadline, else sleep
};

enum class BackendChoice : std::uint8_t { automatic, uring, mmsg };

struct EngineOptions {
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;
};

/// The bytes of a text, and the text in some bytes: views, valid as long as what they are made from.
inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace ringpost
