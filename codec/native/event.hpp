#pragma once

#include <cstdint>

#include "codec/native/run.hpp"

namespace ringpost::native {

/// Why a connection ended. Those below 0x100 are of the transport, the others the application's own.
enum class CloseCode : std::uint16_t {
    done = 0,             ///< close()
    deadline = 1,         ///< close() could not finish in time
    idle = 2,             ///< nothing was received for the idle timeout; never sent
    malformed = 3,        ///< an authentic packet does not consist of frames
    flow_control = 4,     ///< more than the window allows, or messages that contradict each other
    acknowledgement = 5,  ///< of packets that were never sent
    unknown_channel = 6,
    reset = 7,      ///< the peer does not know the connection any more, as after a restart; never sent
    channels = 8,   ///< the two sides differ in the kind of a channel
    forgeries = 9,  ///< so many packets did not open that the keys are no longer safe
};

struct CloseOutcome {
    CloseCode code = CloseCode::done;
    bool by_peer = false;  ///< the other end closed first
    bool all_delivered =
        false;  ///< the peer's application has taken every message that was sent; confirmed by the peer
    std::uint64_t unconfirmed = 0;  ///< messages that the peer did not acknowledge
};

struct Event {
    enum class Kind : std::uint8_t {
        run,       ///< messages of `channel`, the first with the number `number`
        writable,  ///< `channel` has space after a send was refused
        breaker,   ///< congestion control `fixed` has halved its rate
        closing,   ///< the peer sends nothing more, and accepts nothing; what it sent follows until `closed`
        closed,    ///< the end; the last event
    };
    Kind kind = Kind::run;
    std::uint8_t channel = 0;
    std::uint64_t number = 0;
    Run run;  ///< valid until the next call of the connection, except its const functions
    CloseOutcome outcome;
};

}  // namespace ringpost::native
