#pragma once

// Options common to all engines.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringpost {

enum class WaitMode : std::uint8_t {
    block,     ///< sleep in the kernel when idle
    spin,      ///< never sleep: lowest latency, occupies a core
    adaptive,  ///< spin for 100 us after work and before a deadline, otherwise sleep
};

enum class BackendChoice : std::uint8_t { automatic, uring, mmsg };

struct EngineOptions {
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;  ///< send trains (UDP_SEGMENT) if the kernel supports it
};

/// Reinterpret text as bytes and bytes as text. The results are views of the argument's memory.
inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace ringpost
