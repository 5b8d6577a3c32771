#pragma once

#include <cstdint>

#include <ringpost/native/types.hpp>
#include <ringpost/time.hpp>
#include "codec/native/limits.hpp"
#include "codec/native/packet.hpp"
#include "codec/native/tracer.hpp"

namespace ringpost::native {

/// One end of a connection, as its own side wants it.
struct ConnectionOptions : ProtocolOptions {
    Tracer* tracer = nullptr;  ///< null: none; must outlive the connection
    /// Of packets in both directions, and so the same at both ends; not 0 in tests only.
    std::uint64_t first_number = 0;
    std::uint64_t seed = 0;  ///< for numbers that are skipped and bits that are greased; should be unpredictable
};

/// What the other end has announced.
struct PeerOptions {
    std::uint32_t channels = limits::native_channels_default;
    std::uint64_t channel_window = limits::native_channel_window_default;
    std::uint64_t connection_window = limits::native_connection_window_default;
    std::uint32_t message_bytes_max = limits::native_channel_window_default / 2;
    Duration ack_delay = 25 * millisecond;
    Duration idle_timeout = 30 * second;
    Duration rtt = 0;             ///< a round trip that the handshake measured; 0: none
    Id id;                        ///< the connection's id in packets to it
    std::uint64_t traced_as = 0;  ///< TraceEvent::connection
};

}  // namespace ringpost::native
