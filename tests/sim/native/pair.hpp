#pragma once

// Two connections of the native transport over seeded links, and an oracle that knows what was sent. The oracle
// computes the content of every message again from its place, so it shares nothing with what it checks.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/native/connection.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

inline const std::array<Address, 2> native_addresses = {Address::v4(10, 0, 0, 1, 1'000),
                                                        Address::v4(10, 0, 0, 2, 2'000)};

/// Reliable and ordered channels of one direction: what was sent, and that exactly this arrives.
class OrderedOracle {
  public:
    explicit OrderedOracle(std::uint64_t seed) : seed_(seed) {}

    /// The content of the next message of `bytes` on the channel.
    std::vector<std::byte> next_message(std::uint32_t channel, std::size_t bytes);
    /// It was accepted.
    void sent(std::uint32_t channel, std::size_t bytes);
    void delivered(std::uint32_t channel, std::uint64_t number, const native::Run& run);

    std::uint64_t sent_count() const { return sent_; }
    std::uint64_t delivered_count() const { return delivered_; }
    std::uint64_t delivered_bytes() const { return delivered_bytes_; }
    std::uint64_t delivered_on(std::uint32_t channel) { return channels_[channel].delivered; }
    bool all_delivered() const { return sent_ == delivered_; }

  private:
    struct Channel {
        std::uint64_t sent = 0, delivered = 0;
        std::deque<std::size_t> sizes;  ///< of messages on their way
    };
    void write(std::uint32_t channel, std::uint64_t number, std::span<std::byte> out) const;

    std::uint64_t seed_;
    std::vector<std::byte> expected_;
    std::map<std::uint32_t, Channel> channels_;
    std::uint64_t sent_ = 0, delivered_ = 0, delivered_bytes_ = 0;
};

/// A connection as an endpoint of the simulator. Its application takes events at once, unless `taking` is false.
class NativeNode {
  public:
    using Event = native::Event;

    NativeNode(std::unique_ptr<native::Connection> driven, const Address& peer, OrderedOracle& incoming)
        : connection(std::move(driven)), peer_(peer), incoming_(incoming) {}

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now) {
        now_ = now;
        connection->handle_timeout(now);
    }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    /// Runs of messages go to the oracle; all other events come from here.
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    std::unique_ptr<native::Connection> connection;
    bool taking = true;
    std::optional<native::CloseOutcome> closed;  ///< when the last event has come
    bool peer_closes = false;
    std::uint64_t breakers = 0;
    Instant closed_at = 0;

  private:
    void take_all();

    Address peer_;
    OrderedOracle& incoming_;
    std::vector<std::byte> packet_;
    Instant now_ = 0;
};

struct NativeSettings {
    native::ConnectionOptions options;  ///< of both
    crypto::Suite suite = crypto::Suite::insecure;
    Link link{.delay = 10 * millisecond};
    Duration rtt = 0;  ///< that a handshake has measured
};

struct NativePair {
    explicit NativePair(std::uint64_t seed, const NativeSettings& settings = {});

    /// Sends messages of `bytes` until `count` of them were accepted or one was not. Returns how many were.
    std::uint64_t send(NodeIndex from, std::uint32_t channel, std::size_t bytes, std::uint64_t count = 1);
    void close(NodeIndex node, Duration patience);
    native::Connection& connection(NodeIndex node) { return *nodes[node]->connection; }
    /// Runs until everything that was sent is delivered and acknowledged; fails after `within`.
    void run_until_delivered(Duration within);
    /// Runs for some time.
    void run_for(Duration time);
    bool everything_delivered() const { return oracles[0].all_delivered() && oracles[1].all_delivered(); }

    Network network;
    std::array<OrderedOracle, 2> oracles;  ///< of what each node sends
    std::array<std::unique_ptr<NativeNode>, 2> nodes;
};

/// Windows and logs as small as makes sense, so that every limit is met.
native::ConnectionOptions small_native_options();

}  // namespace ringpost::sim
