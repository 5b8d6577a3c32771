#include "tests/sim/native/pair.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "codec/base/split_mix.hpp"

namespace ringpost::sim {

void OrderedOracle::write(std::uint32_t channel, std::uint64_t number, std::span<std::byte> out) const {
    SplitMix64 content(seed_ * 1'000'003 + channel * 7'919 + number * 104'729);
    for (std::size_t at = 0; at < out.size(); at += 8) {
        const std::uint64_t word = content.next();
        std::memcpy(&out[at], &word, std::min<std::size_t>(8, out.size() - at));
    }
}

std::vector<std::byte> OrderedOracle::next_message(std::uint32_t channel, std::size_t bytes) {
    std::vector<std::byte> out(bytes);
    write(channel, channels_[channel].sent, out);
    return out;
}

void OrderedOracle::sent(std::uint32_t channel, std::size_t bytes) {
    ++channels_[channel].sent;
    channels_[channel].sizes.push_back(bytes);
    ++sent_;
}

void OrderedOracle::delivered(std::uint32_t channel, std::uint64_t number, const native::Run& run) {
    Channel& its = channels_[channel];
    ASSERT_EQ(number, its.delivered) << "channel " << channel << ": not the next in order";
    std::uint32_t count = 0;
    run.for_each([&](std::span<const std::byte> message) {
        ++count;
        ASSERT_FALSE(its.sizes.empty()) << "channel " << channel << ": more than was sent";
        ASSERT_EQ(message.size(), its.sizes.front());
        expected_.resize(message.size());
        write(channel, its.delivered, expected_);
        ASSERT_TRUE(message.empty() || std::memcmp(message.data(), expected_.data(), message.size()) == 0)
            << "channel " << channel << ", message " << its.delivered;
        its.sizes.pop_front();
        ++its.delivered;
        ++delivered_;
        delivered_bytes_ += message.size();
    });
    ASSERT_EQ(count, run.count);
}

void NativeNode::handle(Instant now, const Datagram& in) {
    now_ = now;
    packet_.assign(in.bytes.begin(), in.bytes.end());
    connection->handle(now, packet_);
    if (taking)
        take_all();
    else
        connection->retain();
    // What was not copied is not there any more.
    std::vector<std::byte>().swap(packet_);
}

void NativeNode::take_all() {
    while (const auto event = connection->poll_event()) {
        switch (event->kind) {
            case Event::Kind::run: incoming_.delivered(event->channel, event->number, event->run); break;
            case Event::Kind::closed:
                EXPECT_FALSE(closed.has_value());
                closed = event->outcome;
                closed_at = now_;
                break;
            case Event::Kind::closing: peer_closes = true; break;
            case Event::Kind::breaker: ++breakers; break;
            case Event::Kind::writable:
            case Event::Kind::acknowledged: break;
        }
        if (testing::Test::HasFailure()) return;
    }
}

std::optional<Transmit> NativeNode::poll_transmit(Instant now, std::span<std::byte> out) {
    now_ = now;
    const auto train = connection->poll_transmit(now, out);
    if (!train) return std::nullopt;
    return Transmit{peer_, 0, train->bytes, train->segment_bytes};
}

std::optional<NativeNode::Event> NativeNode::poll_event() {
    if (taking) take_all();
    return std::nullopt;
}

std::optional<Instant> NativeNode::poll_timeout() const {
    const Instant at = connection->poll_timeout();
    return at == never ? std::nullopt : std::optional(at);
}

NativePair::NativePair(std::uint64_t seed, const NativeSettings& settings)
    : network(seed), oracles{OrderedOracle(seed * 2), OrderedOracle(seed * 2 + 1)} {
    const auto key = [&](unsigned direction) {
        crypto::Key bytes{};
        bytes[0] = static_cast<std::byte>(seed);
        bytes[1] = static_cast<std::byte>(direction);
        return crypto::PacketKey(settings.suite, bytes);
    };
    for (NodeIndex node = 0; node < 2; ++node) {
        native::ConnectionOptions options = settings.options;
        options.seed = seed * 2 + node;
        native::PeerOptions peer;
        peer.channels = options.channels;
        peer.channel_window = options.channel_window;
        peer.connection_window = options.connection_window;
        peer.message_bytes_max = options.message_bytes_max;
        peer.ack_delay = options.ack_delay;
        peer.idle_timeout = options.idle_timeout;
        peer.rtt = settings.rtt;
        nodes[node] = std::make_unique<NativeNode>(
            std::make_unique<native::Connection>(0, options, peer, key(static_cast<unsigned>(node)),
                                                 key(static_cast<unsigned>(1 - node))),
            native_addresses[1 - node], oracles[1 - node]);
        network.add(native_addresses[node], *nodes[node]);
    }
    network.link_both(0, 1, settings.link);
}

std::uint64_t NativePair::send(NodeIndex from, std::uint32_t channel, std::size_t bytes, std::uint64_t count) {
    std::uint64_t done = 0;
    for (; done < count; ++done) {
        const auto message = oracles[from].next_message(channel, bytes);
        if (connection(from).send(channel, message) != native::SendResult::queued) break;
        oracles[from].sent(channel, bytes);
    }
    network.wake(from);
    return done;
}

void NativePair::close(NodeIndex node, Duration patience) {
    const Instant now = network.now(node);
    connection(node).close(now, now + patience);
    network.wake(node);
}

void NativePair::run_for(Duration time) { EXPECT_NE(network.run_until(network.now() + time), Outcome::livelock); }

void NativePair::run_until_delivered(Duration within) {
    const Instant end = network.now() + within;
    while (!everything_delivered() && network.now() < end && !testing::Test::HasFailure()) {
        const Outcome outcome = network.run_until(std::min(end, network.now() + 10 * millisecond));
        ASSERT_NE(outcome, Outcome::livelock);
        if (outcome == Outcome::idle) break;
    }
    EXPECT_TRUE(everything_delivered()) << oracles[0].delivered_count() << " of " << oracles[0].sent_count() << ", "
                                        << oracles[1].delivered_count() << " of " << oracles[1].sent_count();
}

native::ConnectionOptions small_native_options() {
    native::ConnectionOptions options;
    options.channels = 4;
    options.send_log_bytes = 64 << 10;
    options.channel_window = 24 << 10;
    options.connection_window = 48 << 10;
    options.message_bytes_max = 20 << 10;
    options.packets_in_flight_max = 1'024;
    options.receive_window = 1'024;
    return options;
}

}  // namespace ringpost::sim
