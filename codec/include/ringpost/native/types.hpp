#pragma once

// What the connections of the native transport (<ringpost/connection.hpp>) take and return.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include <ringpost/congestion.hpp>
#include <ringpost/native/run.hpp>
#include <ringpost/time.hpp>

namespace ringpost::native {

/// What one message takes of a window besides its bytes: the receiver's cost of keeping it.
inline constexpr std::uint64_t message_overhead = 16;

/// How a channel is served. Lower numbers of `priority` go first; within one, channels take turns of `weight` packets.
struct ChannelOptions {
    std::uint8_t priority = 0;  ///< 0 to 7
    std::uint8_t weight = 1;    ///< at least 1
};

/// One end of a connection, as its own side wants it. The defaults are for the Internet.
struct ProtocolOptions {
    std::uint32_t channels = 8;                     ///< 1 to 255, each in both directions
    std::vector<ChannelOptions> channel_options{};  ///< by channel; missing ones are like the default
    /// Bytes of each channel that are kept until they are acknowledged: a power of two from 4,096 to 2^30.
    std::size_t send_log_bytes = 256u << 10;

    // Bytes received ahead of the application, of each channel and of all. A message costs its length and 16.
    std::uint64_t channel_window = 1u << 20;
    std::uint64_t connection_window = 4u << 20;
    std::uint32_t message_bytes_max = 512u << 10;  ///< that is received; at most channel_window - message_overhead

    std::uint32_t datagram_bytes = 1'472;          ///< of UDP payload that the path carries; 1,200 to 16,384
    std::uint32_t train_segments = 45;             ///< packets that leave at once, if the rate allows
    std::uint32_t packets_in_flight_max = 65'536;  ///< a power of two up to this
    std::uint32_t receive_window = 8'192;          ///< packets behind the newest one that are still accepted when they
                                                   ///< come late; a power of two up to 65,536

    CongestionControl congestion = CongestionControl::cubic;
    FixedRate fixed{};  ///< for CongestionControl::fixed

    Duration idle_timeout = 30 * second;  ///< silence after which the peer is gone; the shorter one of both sides
    Duration keep_alive = 15 * second;    ///< silence after which the peer is asked whether it is there; at most half
                                          ///< of the idle timeout
    Duration ack_delay = 25 * millisecond;

    /// For a network of one's own: logs and windows for high rates, and a peer that is gone is noticed sooner. A log of
    /// 256 KiB allows 256 MB/s at a round trip of 1 ms.
    static ProtocolOptions lan() {
        ProtocolOptions out;
        out.send_log_bytes = 4u << 20;
        out.channel_window = 16u << 20;
        out.connection_window = 64u << 20;
        out.message_bytes_max = 4u << 20;
        out.idle_timeout = 10 * second;
        out.keep_alive = 3 * second;
        out.ack_delay = 5 * millisecond;
        return out;
    }
    /// For a path that is reserved, at this rate in bytes per second.
    static ProtocolOptions at_rate(double bytes_per_second) {
        ProtocolOptions out;
        out.congestion = CongestionControl::fixed;
        out.fixed.rate = bytes_per_second;
        return out;
    }

    bool acknowledgements = false;  ///< events that name what the peer has acknowledged
};

enum class SendResult : std::uint8_t {
    queued,
    would_block,  ///< no space now
    too_large,    ///< larger than the peer takes, or than the log
    closed,       ///< the connection is closing
    unknown_channel,
};

/// Space for messages of one size: message i is to be written at `at` + i * `stride`.
struct Reserved {
    std::byte* at = nullptr;
    std::size_t stride = 0;  ///< larger than a message
    std::size_t count = 0;
};

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

/// A connection of a server or an endpoint. Names no other one after its last event.
struct ConnectionNumber {
    std::uint32_t index = 0, use = 0;
    bool operator==(const ConnectionNumber&) const = default;
};

struct Message {
    std::uint8_t channel = 0;
    std::uint64_t number = 0;  ///< counts the messages of the channel, from 0
    std::span<const std::byte> bytes{};
};

/// Consecutive messages of one channel, at least one. A view; what returns it states how long it is valid.
class Messages {
  public:
    Messages() = default;
    Messages(std::uint8_t channel, std::uint64_t first, const Run& run) : run_(run), first_(first), channel_(channel) {}

    std::uint8_t channel() const { return channel_; }
    std::size_t size() const { return run_.count; }

    /// The fastest way: calls use(std::span<const std::byte>) for each message in order.
    template <class Use>
    void for_each(Use&& use) const {
        run_.for_each(use);
    }

    class Iterator {
      public:
        using value_type = Message;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        explicit Iterator(const Messages& of) : rest_(of.run_), at_{of.channel_, of.first_, {}} {
            if (rest_.count > 0) at_.bytes = rest_.front();
        }
        const Message& operator*() const { return at_; }
        const Message* operator->() const { return &at_; }
        Iterator& operator++() {
            ++at_.number;
            rest_ = rest_.count > 1 ? rest_.without_first(1) : Run{};
            if (rest_.count > 0) at_.bytes = rest_.front();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return rest_.count == 0; }

      private:
        Run rest_;
        Message at_;
    };
    Iterator begin() const { return Iterator(*this); }
    static std::default_sentinel_t end() { return {}; }

  private:
    Run run_;
    std::uint64_t first_ = 0;
    std::uint8_t channel_ = 0;
};

}  // namespace ringpost::native
