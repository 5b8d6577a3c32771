// Messages are identified by their bytes alone. After k sends of the same bytes to one node, k copies may be delivered
// from one address. If there is one more, two of the last k + 1 belong to one exchange, so these k + 1 must span the
// remembered window. Excess deliveries are counted once: the maximum excess at any time.

#include "tests/sim/gtudp/delivery_oracle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ringpost::sim {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
    return bytes.empty() ? std::string() : std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// The relations between counters that options.hpp states.
void expect_sums(const gtudp::Counters& counts, std::uint64_t in_flight) {
    EXPECT_EQ(counts.taken,
              counts.confirmed + counts.gave_up_attempts + counts.gave_up_deadline + counts.cancelled + in_flight);
    EXPECT_EQ(counts.data_received, counts.delivered + counts.duplicates + counts.app_behind + counts.receives_full +
                                        counts.receives_peer_full + counts.peers_full + counts.corrupt);
    // A RECV confirms an exchange or is unknown, and so does an ACK. Every RECV is answered at most once.
    EXPECT_GE(counts.recv_received, counts.confirmed);
    EXPECT_EQ(counts.recv_received, counts.confirmed + counts.recv_unknown);
    EXPECT_LE(counts.ack_sent + counts.ack_withheld, counts.recv_received);
    EXPECT_LE(counts.ack_unknown_sent, std::min(counts.ack_sent, counts.recv_unknown));
    EXPECT_LE(counts.ack_received - counts.ack_unknown + counts.recv_gave_up, counts.delivered);
    EXPECT_LE(counts.data_sent - counts.data_resent, counts.taken);
    EXPECT_LE(counts.recv_resent, counts.recv_sent);
    EXPECT_LE(counts.recv_sent - counts.recv_resent, counts.delivered);
    EXPECT_LE(counts.forgotten_early, counts.delivered);
}

}  // namespace

// ---- calls of the application --------------------------------------------------------------------

void DeliveryOracle::add(const Address& address, const Terms& terms) {
    Node node;
    node.terms = terms;
    nodes_.push_back(node);
    owners_[address] = nodes_.size() - 1;
}

NodeIndex DeliveryOracle::node_of(const Address& address) const {
    const auto found = owners_.find(address);
    return found == owners_.end() ? no_node : found->second;
}

void DeliveryOracle::sent(NodeIndex from, const Address& to, std::span<const std::byte> bytes, Instant deadline,
                          const std::expected<gtudp::ExchangeId, gtudp::Refusal>& answer) {
    Life& life = nodes_[from].life;
    if (!answer) {
        ++life.refused[static_cast<std::size_t>(answer.error())];
        return;
    }
    ++life.taken;
    auto& message = *messages_.try_emplace({from, node_of(to), text_of(bytes)}).first;
    ++message.second.sends;
    for (const auto& [index, open] : life.open)
        EXPECT_FALSE(open.to == to && open.identity == answer->identity)
            << "one identity is in flight twice to one peer";
    const Open open{.to = to,
                    .message = &message,
                    .identity = answer->identity,
                    .sent_at = network_.now(from),
                    .deadline = deadline,
                    .cancelled = false};
    EXPECT_TRUE(life.open.insert({answer->index, open}).second) << "index " << answer->index << " is still in flight";
}

void DeliveryOracle::sent_raw(NodeIndex from, const Address& to, std::span<const std::byte> bytes, bool taken) {
    if (!taken) return;
    ++nodes_[from].life.raw_taken;
    ++raws_[{from, node_of(to), text_of(bytes)}].sends;
    ++ways_[{from, node_of(to)}].raw_sent;
}

void DeliveryOracle::cancelled(NodeIndex from, gtudp::ExchangeId id, bool answer) {
    auto& all = nodes_[from].life.open;
    const auto open = all.find(id.index);
    const bool known = open != all.end() && open->second.identity == id.identity;
    if (!answer) return;  // it may have ended without its outcome having been polled
    ASSERT_TRUE(known) << "cancelled a send that had ended";
    EXPECT_FALSE(open->second.cancelled) << "cancelled twice";
    open->second.cancelled = true;
}

// ---- events ---------------------------------------------------------------------------------------

void DeliveryOracle::on_event(NodeIndex at, Instant now, const gtudp::Event& event) {
    switch (event.kind) {
        case gtudp::Event::Kind::message: return on_message(at, now, event);
        case gtudp::Event::Kind::foreign: return on_foreign(at, event);
        case gtudp::Event::Kind::outcome: return on_outcome(at, now, event);
    }
}

void DeliveryOracle::on_message(NodeIndex at, Instant now, const gtudp::Event& event) {
    Node& node = nodes_[at];
    ++node.life.messages;
    const NodeIndex from = node_of(event.peer);
    ASSERT_NE(from, no_node) << "a message from an address that no node has had";
    Way& way = ways_[{from, at}];
    const auto message = messages_.find({from, at, text_of(event.bytes)});
    if (message == messages_.end()) {
        ++way.unknown;
        EXPECT_LE(way.unknown, changed(from, at)) << "node " << at << " got from " << from << " what was never sent";
        return;
    }
    Content& content = message->second;
    ++content.delivered;
    Deliveries& deliveries = content.deliveries[node.lives][event.peer];
    deliveries.at.push_back(now);
    if (deliveries.at.size() <= content.sends + deliveries.late) return;
    const std::uint64_t excess = deliveries.at.size() - content.sends - deliveries.late;
    const Duration span = now - deliveries.at[deliveries.at.size() - 1 - content.sends];
    if (span >= node.terms.remembered - node.terms.events_behind_max) {
        ++deliveries.late;
    } else if (excess > deliveries.excess) {
        deliveries.excess = excess;
        ++way.repeats;
    }
}

void DeliveryOracle::on_foreign(NodeIndex at, const gtudp::Event& event) {
    Node& node = nodes_[at];
    ++node.life.foreign;
    EXPECT_TRUE(node.terms.recv_from_any);
    const NodeIndex from = node_of(event.peer);
    ASSERT_NE(from, no_node) << "from an address that no node has had";
    Way& way = ways_[{from, at}];
    ++(raws_.contains({from, at, text_of(event.bytes)}) ? way.raw_came : way.unknown);
    EXPECT_LE(way.unknown, changed(from, at)) << "node " << at << " got from " << from << " what was never sent raw";
}

void DeliveryOracle::on_outcome(NodeIndex at, Instant now, const gtudp::Event& event) {
    Node& node = nodes_[at];
    const auto found = node.life.open.find(event.id.index);
    ASSERT_TRUE(found != node.life.open.end()) << "an outcome for a send that is not in flight";
    const Open open = found->second;
    node.life.open.erase(found);
    EXPECT_EQ(open.identity, event.id.identity);
    EXPECT_EQ(open.to, event.peer);
    ++node.life.outcomes[static_cast<std::size_t>(event.outcome)];
    node.life.data_sent += event.sends;
    node.life.data_resent += event.sends > 0 ? event.sends - 1 : 0;
    node.life.sends_unknown |= event.sends == UINT8_MAX;
    if (node.terms.patience == 0) {
        EXPECT_LE(event.sends, node.terms.data_sends_max);
    }
    EXPECT_EQ(event.outcome == gtudp::Outcome::cancelled, open.cancelled);
    auto& [key, content] = *open.message;
    switch (event.outcome) {
        case gtudp::Outcome::confirmed:
            EXPECT_GE(event.sends, 1u);
            ++content.confirmed;
            if (key.to != no_node && nodes_[key.to].terms.events_behind_max > 0) break;  // expect_truth() checks
            if (content.confirmed > content.delivered) {
                EXPECT_LE(unfounded(at, key.to), changed(at, key.to) + changed(key.to, at))
                    << "node " << at << " has confirmations of messages that were not delivered to " << key.to;
            }
            break;
        case gtudp::Outcome::gave_up_attempts:
            // What waits for the window of a silent peer may be given up sooner.
            EXPECT_TRUE(node.terms.windows || event.sends >= node.terms.data_sends_max);
            EXPECT_GE(now - open.sent_at + 2 * microsecond, node.terms.patience);  // it is measured in 1.024 us
            break;
        case gtudp::Outcome::gave_up_deadline: EXPECT_GE(now, open.deadline); break;
        case gtudp::Outcome::cancelled: break;
    }
}

// ---- judgement ------------------------------------------------------------------------------------

/// Datagrams that arrived with changed bytes.
std::uint64_t DeliveryOracle::changed(NodeIndex from, NodeIndex to) const {
    return from == no_node || to == no_node ? 0 : network_.counts(from, to).changed;
}

/// Messages that were confirmed but not delivered.
std::uint64_t DeliveryOracle::unfounded(NodeIndex from, NodeIndex to) const {
    std::uint64_t count = 0;
    for (auto at = messages_.lower_bound({from, to, ""}); at != messages_.end(); ++at) {
        const auto& [key, content] = *at;
        if (key.from != from || key.to != to) break;
        count += content.confirmed - std::min(content.confirmed, content.delivered);
    }
    return count;
}

void DeliveryOracle::ended(NodeIndex index, const gtudp::Endpoint& endpoint) {
    Node& node = nodes_[index];
    const Life& life = node.life;
    const gtudp::Counters counts = endpoint.counters();
    expect_sums(counts, endpoint.in_flight());
    EXPECT_EQ(endpoint.in_flight(), life.open.size());
    EXPECT_EQ(counts.taken, life.taken);
    const std::array refused{counts.refused_too_large, counts.refused_table_full, counts.refused_peer_full,
                             counts.refused_peers_full, counts.refused_not_ready};
    EXPECT_EQ(refused, life.refused);
    const std::array outcomes{counts.confirmed, counts.gave_up_attempts, counts.gave_up_deadline, counts.cancelled};
    EXPECT_EQ(outcomes, life.outcomes);
    EXPECT_EQ(counts.delivered, life.messages);
    EXPECT_EQ(node.terms.recv_from_any ? counts.foreign - counts.foreign_dropped : 0, life.foreign);
    EXPECT_LE(life.data_sent, counts.data_sent);
    EXPECT_LE(life.data_resent, counts.data_resent);
    EXPECT_LE(counts.raw_sent, life.raw_taken);
    if (life.open.empty() && !life.sends_unknown) {
        EXPECT_EQ(life.data_sent, counts.data_sent) << "the sends in the outcomes are all sends";
        EXPECT_EQ(life.data_resent, counts.data_resent);
    }
    node.datagrams_sent += counts.data_sent + counts.recv_sent + counts.ack_sent + counts.raw_sent;
    node.datagrams_received += counts.data_received + counts.recv_received + counts.ack_received + counts.foreign;
    node.forgotten_early += counts.forgotten_early;
    node.life = Life{};
    ++node.lives;
}

void DeliveryOracle::expect_truth() const {
    std::map<NodeIndex, std::uint64_t> unexcused;
    for (const auto& [between, way] : ways_) {
        const auto [from, to] = between;
        const std::uint64_t broken = way.unknown + way.repeats, excused = changed(from, to);
        EXPECT_LE(way.unknown, excused) << "from node " << from << " to " << to;
        if (broken > excused) unexcused[to] += broken - excused;
        if (to != no_node) {
            EXPECT_LE(way.raw_came, way.raw_sent + network_.counts(from, to).duplicated + excused);
        }
    }
    for (const auto& [to, repeats] : unexcused)
        EXPECT_LE(repeats, nodes_[to].forgotten_early) << "node " << to << " got messages again";

    std::set<std::pair<NodeIndex, NodeIndex>> ways;
    for (const auto& [key, content] : messages_) ways.insert({key.from, key.to});
    for (const auto& [from, to] : ways)
        EXPECT_LE(unfounded(from, to), changed(from, to) + changed(to, from)) << "from node " << from << " to " << to;

    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
        EXPECT_TRUE(nodes_[node].life.open.empty());
        EXPECT_EQ(nodes_[node].datagrams_sent, network_.sent(node, 0)) << "by node " << node;
        EXPECT_EQ(nodes_[node].datagrams_received, network_.deliveries(node).size()) << "by node " << node;
    }
}

void DeliveryOracle::expect_all_arrived() const {
    for (const auto& [key, content] : messages_) {
        EXPECT_EQ(content.confirmed, content.sends) << "from node " << key.from << " to " << key.to;
        EXPECT_GE(content.delivered, content.sends) << "from node " << key.from << " to " << key.to;
    }
}

}  // namespace ringpost::sim
