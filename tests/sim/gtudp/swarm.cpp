// A run consists of steps. In each step some time passes, a node sends some messages, and sometimes a fault happens.
// When all messages have been sent, the faults end, and the run continues until no endpoint has anything to do: all
// sends have their outcome, and remembered exchanges have expired.

#include "tests/sim/gtudp/swarm.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/base/chunk_pool.hpp"

namespace ringpost::sim {
namespace {

constexpr gtudp::Identity identities_per_life = 1u << 24;  // more than any life uses

Address address_of(NodeIndex node, std::size_t moves) {
    return Address::v4(10, 0, static_cast<std::uint8_t>(moves), static_cast<std::uint8_t>(node + 1),
                       static_cast<std::uint16_t>(1'000 + moves));
}

}  // namespace

Swarm::Swarm(std::uint64_t seed)
    : knobs_(draw_knobs(seed)), random_(seed * 0x9e3779b97f4a7c15 + 2), network_(seed), oracle_(network_) {
    nodes_.resize(knobs_.nodes);
    for (NodeIndex index = 0; index < nodes_.size(); ++index) {
        Node& node = nodes_[index];
        node.options = knobs_.options[index];
        node.addresses = {address_of(index, 0)};
        node.endpoint = std::make_unique<gtudp::Endpoint>(node.options);
        oracle_.add(node.addresses.back(), {.remembered = node.options.remembered,
                                            .data_sends_max = node.options.resending.data_sends_max,
                                            .windows = node.options.congestion != CongestionControl::fixed,
                                            .patience = node.options.resending.effective_patience(),
                                            .recv_from_any = node.options.recv_from_any,
                                            .events_behind_max = knobs_.deaf > 0 ? trouble_max + knobs_.step_max : 0});
        network_.add(node.addresses.back(), *node.endpoint, listener(index));
        network_.jump(index, knobs_.clocks[index]);
    }
    for (NodeIndex from = 0; from < knobs_.nodes; ++from)
        for (NodeIndex to = 0; to < knobs_.nodes; ++to) network_.link(from, to, knobs_.links[from * knobs_.nodes + to]);
}

void Swarm::play() {
    while (sent_ < knobs_.messages && !testing::Test::HasFailure()) step();
    end_troubles(never);
    if (!run_until(never - 1)) return;
    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
        EXPECT_EQ(nodes_[node].endpoint->in_flight(), 0u);
        end_life(node);
    }
    oracle_.expect_truth();
    for (Node& node : nodes_) expect_nothing_leaked(node);
    if (knobs_.friendly) oracle_.expect_all_arrived();
}

void Swarm::step() {
    const auto pause = static_cast<Duration>(random_.below(static_cast<std::uint64_t>(knobs_.step_max) + 1));
    end_troubles(network_.now());
    // A node that resumes polling events does so within this time, before the next fault.
    if (!run_until(network_.now() + Network::busy_ns + pause)) return;
    happen();
    send_some();
}

bool Swarm::run_until(Instant end) {
    const Outcome outcome = network_.run_until(end, turns_max);
    EXPECT_NE(outcome, Outcome::livelock);
    return outcome != Outcome::livelock;
}

// ---- calls of the applications -------------------------------------------------------------------

void Swarm::send_some() {
    const NodeIndex from = any_node();
    Node& node = nodes_[from];
    const Instant now = network_.now(from);
    Address to = target_of(from);
    for (std::uint64_t left = random_.between(1, knobs_.burst_max); left > 0; --left) {
        if (random_.chance(0.2)) to = target_of(from);
        const std::vector<std::byte> bytes = payload();
        const Instant deadline = knobs_.deadlines && random_.chance(0.5)
                                     ? now + static_cast<Duration>(random_.below(5'000'000'000)) - millisecond
                                     : never;
        const auto answer = node.endpoint->send(now, to, bytes, deadline);
        oracle_.sent(from, to, bytes, deadline, answer);
        if (answer) node.ids.push_back(*answer);
        ++sent_;
    }
    network_.wake(from);
}

Address Swarm::target_of(NodeIndex from) {
    if (knobs_.strays && random_.chance(0.1)) {
        const Node& any = nodes_[any_node()];
        const Address targets[] = {nodes_[from].addresses.back(), any.addresses.front(), Address::v4(10, 9, 9, 9, 9)};
        return random_.one_of(std::span<const Address>(targets));
    }
    const NodeIndex to = (from + random_.between(1, nodes_.size() - 1)) % nodes_.size();
    return nodes_[to].addresses.back();
}

/// Small messages are more frequent than large ones. If there is space, a number makes the message unique.
std::vector<std::byte> Swarm::payload() {
    const std::size_t largest = knobs_.options.front().codec.data_bytes_max();
    if (knobs_.strays && random_.chance(0.01)) return std::vector<std::byte>(largest + 1);
    const std::size_t most = knobs_.payload_bytes_max >> random_.below(8);
    std::vector<std::byte> bytes(random_.chance(0.02) ? knobs_.payload_bytes_max : random_.between(0, most));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(sent_);
    if (bytes.size() >= 8) store_be(bytes.data(), sent_);
    return bytes;
}

void Swarm::send_raw() {
    const NodeIndex from = any_node();
    const Address to = target_of(from);
    for (std::uint64_t left = random_.between(1, knobs_.burst_max); left > 0; --left) {
        const std::vector<std::byte> bytes = raw_bytes(from);
        oracle_.sent_raw(from, to, bytes, nodes_[from].endpoint->send_raw(to, bytes));
    }
    network_.wake(from);
}

/// Bytes that are not gtUDP on this wire: half a header, a RECV with trailing bytes, or a different prefix.
std::vector<std::byte> Swarm::raw_bytes(NodeIndex from) {
    const gtudp::Codec& codec = nodes_[from].options.codec;
    std::vector<std::byte> bytes(codec.header_bytes() + random_.between(1, random_.chance(0.3) ? 1'500 : 40),
                                 std::byte{0x77});
    codec.write_header(bytes.data(), gtudp::Kind::recv, static_cast<gtudp::Identity>(sent_));
    if (random_.chance(0.5)) return bytes;
    bytes.resize(random_.below(codec.header_bytes()));
    if (bytes.empty() || random_.chance(0.5)) return bytes;
    bytes.front() = ~bytes.front();
    return bytes;
}

void Swarm::cancel_one() {
    const NodeIndex index = any_node();
    Node& node = nodes_[index];
    if (node.ids.empty()) return;
    const std::size_t back = random_.between(1, std::min<std::size_t>(node.ids.size(), 30));
    const gtudp::ExchangeId id = node.ids[node.ids.size() - back];
    oracle_.cancelled(index, id, node.endpoint->cancel(id));
    network_.wake(index);
}

// ---- faults --------------------------------------------------------------------------------------

void Swarm::happen() {
    const auto now_and_then = [&](std::uint64_t every) { return every > 0 && random_.below(every) == 0; };
    if (now_and_then(knobs_.raws)) send_raw();
    if (now_and_then(knobs_.cancels)) cancel_one();
    if (now_and_then(knobs_.partitions)) part();
    if (now_and_then(knobs_.moves)) move_one();
    if (now_and_then(knobs_.restarts)) restart_one();
    if (now_and_then(knobs_.jumps)) jump_one();
    if (now_and_then(knobs_.deaf)) deafen_one();
    if (now_and_then(knobs_.closes)) close_one();
}

void Swarm::close_one() {
    Node& node = nodes_[any_node()];
    node.endpoint->close();
    node.closed = true;
}

/// In one direction, or in both with two draws of the same pair.
void Swarm::part() {
    const NodeIndex from = any_node(), to = any_node();
    const bool both = random_.chance(0.5);
    const Instant until = network_.now() + static_cast<Duration>(random_.below(trouble_max));
    for (const auto& [a, b] : {std::pair(from, to), std::pair(to, from)}) {
        if (a == to && !both) break;
        network_.link(a, b, {.loss = 1});
        partitions_.push_back({a, b, until});
    }
}

void Swarm::move_one() {
    const NodeIndex index = any_node();
    Node& node = nodes_[index];
    node.addresses.push_back(address_of(index, node.addresses.size()));
    network_.move(index, node.addresses.back());
    oracle_.moved(index, node.addresses.back());
}

/// Events of the old endpoint are still polled: their messages may have been confirmed to the sender.
void Swarm::restart_one() {
    const NodeIndex index = any_node();
    Node& node = nodes_[index];
    end_life(index);
    node.options.first_identity += identities_per_life;
    node.options.seed += 1;
    node.options.start = network_.now(index);
    node.closed = false;
    auto fresh = std::make_unique<gtudp::Endpoint>(node.options);
    network_.replace(index, *fresh, listener(index));
    node.endpoint = std::move(fresh);
}

void Swarm::end_life(NodeIndex node) {
    gtudp::Endpoint& endpoint = *nodes_[node].endpoint;
    while (const auto event = endpoint.poll_event()) oracle_.on_event(node, network_.now(node), *event);
    oracle_.ended(node, endpoint);
    counts_.push_back(endpoint.counters());
}

/// With nothing in flight, there is as much space as at the start.
void Swarm::expect_nothing_leaked(Node& node) {
    const gtudp::Options& options = node.options;
    if (node.closed) return;
    const std::size_t whole_chunks = options.payload_bytes / ChunkPool::chunk_bytes * ChunkPool::chunk_bytes;
    const std::vector<std::byte> bytes(std::min(whole_chunks, options.codec.data_bytes_max()));
    const Address to = nodes_.front().addresses.back();
    const Instant now = network_.now();
    EXPECT_TRUE(node.endpoint->send(now, to, bytes).has_value());
    const std::uint32_t most = std::min(options.sends_max, options.sends_per_peer_max);
    for (std::uint32_t i = 1; i < most; ++i) EXPECT_TRUE(node.endpoint->send(now, to, {}).has_value()) << i;
    EXPECT_FALSE(node.endpoint->send(now, to, {}).has_value());
}

/// Excludes nodes with a delayed application: when their events happened is unknown when they are polled.
void Swarm::jump_one() {
    const NodeIndex index = any_node();
    if (nodes_[index].paused_until) return;
    network_.jump(index, static_cast<Duration>(random_.below(static_cast<std::uint64_t>(knobs_.jump_max) + 1)));
}

void Swarm::deafen_one() {
    const NodeIndex index = any_node();
    if (nodes_[index].paused_until) return;
    nodes_[index].paused_until = network_.now() + static_cast<Duration>(random_.below(trouble_max));
    network_.take_events(index, false);
}

void Swarm::end_troubles(Instant now) {
    for (NodeIndex index = 0; index < nodes_.size(); ++index) {
        auto& until = nodes_[index].paused_until;
        if (!until || *until > now) continue;
        until.reset();
        network_.take_events(index, true);
    }
    std::erase_if(partitions_, [&](const Partition& partition) {
        if (partition.until > now) return false;
        const auto& [from, to, until] = partition;
        network_.link(from, to, knobs_.links[from * knobs_.nodes + to]);
        return true;
    });
}

}  // namespace ringpost::sim
