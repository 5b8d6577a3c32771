#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ringpost {

enum class WaitMode : std::uint8_t {
    block,     ///< sleep in the kernel when idle
    spin,      ///< never sleep: lowest latency, occupies a core
    adaptive,  ///< spin for 100 us after work and before a deadline, otherwise sleep
};

enum class BackendChoice : std::uint8_t {
    automatic,  ///< io_uring, or else mmsg, with a log message that gives the reason
    uring,      ///< io_uring
    mmsg,       ///< epoll, recvmmsg and sendmmsg
};

enum class LogLevel : std::uint8_t {
    info,     ///< a choice, such as the backend
    warning,  ///< something does not work, and is tried again or worked around
};

/// Receives what the library reports as text; it prints nothing by itself. `text` is one line without its end, valid
/// during the call only. Called on the engine's thread: the thread that polls, or that of a threaded object. It must
/// not throw, block, or call the object that logs.
using Log = std::function<void(LogLevel level, std::string_view text)>;

/// Options common to all engines.
struct EngineOptions {
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    bool gso = true;  ///< send trains (UDP_SEGMENT) if the kernel supports it
    Log log{};        ///< empty: nothing is logged
};

}  // namespace ringpost
