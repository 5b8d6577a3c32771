// One turn: all due datagrams are delivered to their nodes, those that a kernel would receive as a train together. Then
// each node, in order, has its timeout handled if it is due, its events polled, and its transmits polled, which are
// split into datagrams and put on their links. Then the clock jumps to the earliest of the next arrival, the next
// timeout and the next turn of a busy node. A node sees its own clock, which is the network's plus an offset.

#include "tests/sim/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/base/crc32c.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::sim {
namespace {

std::uint64_t mixed(std::uint64_t value) {  // the finaliser of SplitMix64 (Steele, Lea and Flood 2014)
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

bool is_multicast(const Address& address) { return address.family == Family::v4 && address.ip[12] >> 4 == 14; }

void check_contract(const Transmit& transmit) {
    EXPECT_LE(transmit.bytes, limits::datagram_bytes_max);
    EXPECT_LE(transmit.segment_bytes, transmit.bytes);
    EXPECT_TRUE(transmit.segment_bytes > 0 || transmit.bytes == 0);
    EXPECT_LE(segment_count(transmit.bytes, transmit.segment_bytes), limits::train_segments_max);
}

}  // namespace

Network::Network(std::uint64_t seed) : random_(seed), streams_(world(), random_) {}

Streams::World Network::world() {
    return {
        .node_at = [this](const Address& address) -> std::optional<NodeIndex> {
            const auto found = std::ranges::find(nodes_, address.ip, [](const Node& node) { return node.address.ip; });
            if (found == nodes_.end()) return std::nullopt;
            return static_cast<NodeIndex>(found - nodes_.begin());
        },
        .is_at = [this](
                     NodeIndex node,
                     const Address& address) { return nodes_[node].host_up && nodes_[node].address.ip == address.ip; },
        .listens = [this](NodeIndex node) { return nodes_[node].runs && nodes_[node].listening; },
        .is_cut = [this](NodeIndex from, NodeIndex to) { return wires_[{from, to}].link.loss >= 1; },
        .delay =
            [this](NodeIndex from, NodeIndex to) {
                const Link& link = wires_[{from, to}].link;
                return link.delay + static_cast<Duration>(random_.below(static_cast<std::uint64_t>(link.jitter) + 1));
            },
        .accept = [this](NodeIndex node, const Address& peer) { return nodes_[node].driver->accept(now(node), peer); },
        .input =
            [this](NodeIndex node, const StreamInput& in) {
                trace(static_cast<std::uint64_t>(in.kind) << 16 | node, in.bytes);
                nodes_[node].driver->handle_stream(now(node), in);
                if (nodes_[node].taking_events) nodes_[node].driver->drain_events(now(node));
            },
    };
}

void Network::kill(NodeIndex node, bool silently) {
    nodes_[node].runs = false;
    nodes_[node].busy = false;
    if (silently) nodes_[node].host_up = false;
    streams_.kill(now_, node, silently);
}

Outcome Network::run_until(Instant end, std::uint64_t turns_max) {
    for (std::uint64_t turns = 0; turns < turns_max; ++turns) {
        const auto wake_up = next_wake_up();
        if (!wake_up) return Outcome::idle;
        if (*wake_up > end) {
            now_ = std::max(now_, end);
            return Outcome::at_end;
        }
        now_ = std::max(now_, *wake_up);
        turn();
    }
    return Outcome::livelock;
}

NodeIndex Network::add_node(const Address& address, std::unique_ptr<Driver> driver) {
    Node node;
    node.address = address;
    node.driver = std::move(driver);
    node.buffers.assign(3, std::vector<std::byte>(limits::datagram_bytes_max));
    nodes_.push_back(std::move(node));
    return nodes_.size() - 1;
}

std::optional<Instant> Network::next_wake_up() const {
    std::optional<Instant> earliest;
    const auto consider = [&](Instant at) { earliest = std::min(at, earliest.value_or(never)); };
    if (!in_flight_.empty()) consider(in_flight_.top().delivery.at);
    if (const auto at = streams_.next()) consider(*at);
    for (const Node& node : nodes_) {
        if (!node.runs) continue;
        if (node.busy) consider(now_ + busy_ns);
        // The timeout of a busy node may be overdue: the node is not polled before its turn.
        else if (const auto at = node.driver->poll_timeout())
            consider(*at - node.ahead);
    }
    return earliest;
}

void Network::turn() {
    while (!in_flight_.empty() && in_flight_.top().delivery.at <= now_) deliver(take_train());
    streams_.step(now_);
    for (NodeIndex index = 0; index < nodes_.size(); ++index) {
        if (!nodes_[index].runs) continue;
        Driver& driver = *nodes_[index].driver;
        if (const auto at = driver.poll_timeout(); at && *at <= now(index)) driver.handle_timeout(now(index));
        if (nodes_[index].taking_events) driver.drain_events(now(index));
        drain(index);
        drain_streams(index);
    }
}

void Network::drain_streams(NodeIndex from) {
    stream_buffer_.resize(limits::stream_write_bytes_max);
    while (const auto request = nodes_[from].driver->poll_stream(now(from), stream_buffer_)) {
        const auto bytes = std::span(stream_buffer_).first(request->bytes);
        trace(static_cast<std::uint64_t>(request->kind) << 16 | 1u << 15 | from, bytes);
        streams_.request(now_, from, nodes_[from].address, *request, bytes);
    }
}

/// The next datagram that is due and those after it that make a train with it: equal sizes but for the last.
std::vector<Network::Packet> Network::take_train() {
    std::vector<Packet> train;
    do {
        train.push_back(in_flight_.top());
        in_flight_.pop();
    } while (!in_flight_.empty() && in_flight_.top().delivery.at <= now_ && in_flight_.top().follows(train));
    return train;
}

bool Network::Packet::follows(const std::vector<Packet>& train) const {
    const Packet& first = train.front();
    const std::size_t segment_bytes = first.bytes.size();
    return to == first.to && source == first.source && target == first.target && hop_limit == first.hop_limit &&
           delivery.from_socket == first.delivery.from_socket && delivery.to_socket == first.delivery.to_socket &&
           !bytes.empty() && bytes.size() <= segment_bytes && train.back().bytes.size() == segment_bytes &&
           train.size() < limits::train_segments_max &&
           (train.size() + 1) * segment_bytes <= limits::datagram_bytes_max;
}

void Network::deliver(const std::vector<Packet>& train) {
    const Packet& packet = train.front();
    const Delivery& delivery = packet.delivery;
    Node& node = nodes_[packet.to];
    LinkCounters& counts = wires_[{delivery.from, packet.to}].counts;
    if (node.address != packet.target || !node.runs) {
        counts.lost += train.size();
        return;
    }
    Address source = packet.source;
    source.port = static_cast<std::uint16_t>(source.port + delivery.from_socket);
    counts.delivered += train.size();
    std::size_t total = 0;
    for (const Packet& each : train) total += each.bytes.size();
    // An allocation of exactly this size that is freed after the call: a sanitizer detects reads beyond or after it.
    std::vector<std::byte> bytes;
    bytes.reserve(total);
    for (const Packet& each : train) {
        node.deliveries.push_back(each.delivery);
        node.deliveries.back().crc = trace(2 * packet.to + 1, each.bytes);
        bytes.insert(bytes.end(), each.bytes.begin(), each.bytes.end());
    }
    Datagram datagram{source, delivery.to_socket, bytes};
    datagram.local = node.address;
    datagram.local.port = static_cast<std::uint16_t>(node.address.port + delivery.to_socket);
    if (node.reports_hop_limits) datagram.hop_limit = packet.hop_limit;
    node.driver->handle_train(now(packet.to), datagram, packet.bytes.size());
}

void Network::drain(NodeIndex from) {
    Node& node = nodes_[from];
    node.busy = false;
    for (int i = 0; i < transmits_per_turn; ++i) {
        std::vector<std::byte>& buffer = node.buffers[node.next_buffer];
        const auto transmit = node.driver->poll_transmit(now(from), buffer);
        if (!transmit) return;
        node.next_buffer = (node.next_buffer + 1) % node.buffers.size();
        check_contract(*transmit);
        send_train(from, *transmit, std::span(buffer).first(std::min(transmit->bytes, buffer.size())));
    }
    node.busy = true;
}

void Network::send_train(NodeIndex from, const Transmit& transmit, std::span<const std::byte> bytes) {
    const std::size_t count = segment_count(bytes.size(), transmit.segment_bytes);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * transmit.segment_bytes;
        send(from, transmit,
             bytes.subspan(at, count == 1 ? bytes.size() : std::min(transmit.segment_bytes, bytes.size() - at)));
    }
}

void Network::send(NodeIndex from, const Transmit& transmit, std::span<const std::byte> bytes) {
    Node& node = nodes_[from];
    const Address& target = transmit.destination.family == Family::none ? node.peer : transmit.destination;
    const std::uint64_t ordinal = node.sent[transmit.socket]++;
    Packet packet;
    packet.source = node.address;
    packet.hop_limit = transmit.hop_limit > 0 ? transmit.hop_limit : hop_limit;
    packet.bytes.assign(bytes.begin(), bytes.end());
    packet.delivery = {.sent_at = now_,
                       .from = from,
                       .from_socket = transmit.socket,
                       .ordinal = ordinal,
                       .sent_crc = trace(2 * from, bytes)};
    if (is_multicast(target)) {
        packet.delivery.to_socket = transmit.socket;
        for (NodeIndex to = 0; to < nodes_.size(); ++to) send_to(from, to, packet);
        return;
    }
    const auto to = std::ranges::find(nodes_, target.ip, [](const Node& any) { return any.address.ip; });
    if (to == nodes_.end() || target.port < to->address.port) {
        ++unroutable_;
        return;
    }
    packet.delivery.to_socket = static_cast<SocketIndex>(target.port - to->address.port);
    send_to(from, static_cast<NodeIndex>(to - nodes_.begin()), std::move(packet));
}

void Network::send_to(NodeIndex from, NodeIndex to, Packet packet) {
    packet.target = nodes_[to].address;
    packet.to = to;
    Wire& wire = wires_[{from, to}];
    ++wire.counts.sent;
    Fate fate = fate_of_ ? fate_of_(routed_) : Fate{};
    ++routed_;
    if (fate.copies == 0) {
        ++wire.counts.lost;
        return;
    }
    fate.copies += random_.chance(wire.link.duplicate);
    wire.counts.duplicated += fate.copies - 1;
    for (unsigned copy = 0; copy < fate.copies; ++copy) send_copy(wire, packet, copy * fate.later);
}

/// How long a datagram of `bytes` waits for the link's rate, itself included; nullopt: the queue is full.
std::optional<Duration> Network::queue(Wire& wire, std::size_t bytes) {
    constexpr std::size_t header_bytes = 28;
    if (wire.link.rate <= 0) return 0;
    const double per_ns = wire.link.rate / 1e9, at = static_cast<double>(now_);
    wire.free_at = std::max(wire.free_at, at);
    const double size = static_cast<double>(bytes + header_bytes);
    if ((wire.free_at - at) * per_ns + size > static_cast<double>(wire.link.queue_bytes)) return std::nullopt;
    wire.free_at += size / per_ns;
    return static_cast<Duration>(wire.free_at - at);
}

void Network::send_copy(Wire& wire, Packet packet, Duration later) {
    const Link& link = wire.link;
    const std::optional<Duration> queued = queue(wire, packet.bytes.size());
    if (!queued) {
        ++wire.counts.lost;
        ++wire.counts.overflowed;
        return;
    }
    if (random_.chance(link.loss) || packet.bytes.size() > link.bytes_max) {
        ++wire.counts.lost;
        return;
    }
    std::vector<std::byte>& bytes = packet.bytes;
    const std::size_t whole = bytes.size();
    if (!bytes.empty() && random_.chance(link.truncate)) bytes.resize(random_.below(bytes.size()));
    packet.delivery.intact = bytes.size() == whole;
    if (!bytes.empty() && random_.chance(link.corrupt)) {
        const std::vector<std::byte> original = bytes;
        for (std::uint64_t flips = random_.between(1, link.corrupt_bits_max); flips > 0; --flips) {
            const std::uint64_t bit = random_.below(bytes.size() * 8);
            bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        }
        packet.delivery.intact = packet.delivery.intact && bytes == original;  // a bit may be flipped twice
    }
    wire.counts.changed += !packet.delivery.intact;
    packet.delivery.at = now_ + later + *queued + link.delay +
                         static_cast<Duration>(random_.below(static_cast<std::uint64_t>(link.jitter) + 1));
    if (random_.chance(link.late)) packet.delivery.at += link.late_by;
    packet.serial = serial_++;
    in_flight_.push(std::move(packet));
}

std::uint32_t Network::trace(std::uint64_t what, std::span<const std::byte> bytes) {
    const auto add = [&](std::uint64_t value) { trace_hash_ = mixed(trace_hash_ + 0x9e3779b97f4a7c15 + value); };
    add(static_cast<std::uint64_t>(now_));
    add(what << 32 | bytes.size());
    const std::uint32_t crc = crc32c(bytes);
    add(crc);
    return crc;
}

}  // namespace ringpost::sim
