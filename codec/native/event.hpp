#pragma once

#include <cstdint>
#include <string_view>

#include <ringpost/native/run.hpp>
#include <ringpost/native/types.hpp>

namespace ringpost::native {

struct Event {
    enum class Kind : std::uint8_t {
        run,           ///< messages of `channel`, the first with the number `number`
        writable,      ///< `channel` has space after a send was refused
        acknowledged,  ///< the peer has more messages of `channel`: all below `number`
        breaker,       ///< congestion control `fixed` has halved its rate
        closing,       ///< the peer sends nothing more, and accepts nothing; what it sent follows until `closed`
        closed,        ///< the end; the last event
    };
    Kind kind = Kind::run;
    std::uint8_t channel = 0;
    std::uint64_t number = 0;
    Run run;  ///< valid until the next call of the connection, except its const functions
    CloseOutcome outcome;
    std::string_view reason{};  ///< the peer's, of `closing` and `closed`; valid as long as the connection
};

}  // namespace ringpost::native
