#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/native/limits.hpp"
#include "codec/native/packet.hpp"
#include "codec/recovery/fixed.hpp"
#include "codec/recovery/limits.hpp"

namespace ringpost::native {

enum class CongestionControl : std::uint8_t { cubic, fixed };

/// How a channel is served. Lower numbers of `priority` go first; within one, channels take turns of `weight` packets.
struct ChannelOptions {
    std::uint8_t priority = 0;  ///< 0 to 7
    std::uint8_t weight = 1;    ///< at least 1
};

/// One end of a connection, as its own side wants it.
struct ConnectionOptions {
    std::uint32_t channels = limits::native_channels_default;
    std::vector<ChannelOptions> channel_options;  ///< by channel; missing ones are like the default
    std::size_t send_log_bytes = limits::native_send_log_bytes_default;  ///< per channel, a power of two

    std::uint64_t channel_window = limits::native_channel_window_default;  ///< bytes received ahead of the application
    std::uint64_t connection_window = limits::native_connection_window_default;
    std::uint32_t message_bytes_max = limits::native_channel_window_default / 2;  ///< that is received

    std::uint32_t datagram_bytes = limits::native_datagram_bytes_default;  ///< of UDP payload that the path carries
    std::uint32_t train_segments = 45;                                     ///< packets that poll_transmit joins
    std::uint32_t packets_in_flight_max = limits::native_packets_in_flight_max;
    std::uint32_t receive_window = limits::native_receive_window_min;  ///< packets, see ReceiveWindow

    CongestionControl congestion = CongestionControl::cubic;
    recovery::Fixed::Settings fixed;  ///< for CongestionControl::fixed

    Duration idle_timeout = 30 * second;
    Duration keep_alive = 15 * second;
    Duration ack_delay = 25 * millisecond;
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
    Duration rtt = 0;  ///< a round trip that the handshake measured; 0: none
    Id id;             ///< the connection's id in packets to it
};

}  // namespace ringpost::native
