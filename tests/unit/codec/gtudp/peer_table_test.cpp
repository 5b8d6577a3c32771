#include "codec/gtudp/peer_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {
namespace {

constexpr SipKey peer_key{1, 2};

Address address(std::size_t number) {
    return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number), 9);
}

TEST(GtudpPeerTable, acquires_once_and_finds) {
    PeerTable table(4, peer_key);
    EXPECT_EQ(table.find(address(1)), none);
    const PeerIndex one = table.acquire(address(1)), two = table.acquire(address(2));
    ASSERT_NE(one, none);
    EXPECT_NE(one, two);
    EXPECT_EQ(table.acquire(address(1)), one);
    EXPECT_EQ(table.find(address(1)), one);
    EXPECT_EQ(table.find(address(2)), two);
    EXPECT_EQ(table[one].address, address(1));
    EXPECT_EQ(table.size(), 2u);
    EXPECT_EQ(table.find(Address{}), none) << "an unused entry does not match";
}

TEST(GtudpPeerTable, a_hop_limit_only_falls_while_something_is_in_flight) {
    Peer peer;
    const auto arrives = [&](std::uint8_t hop_limit) {
        Datagram in{};
        in.hop_limit = hop_limit;
        peer.note_path(in);
        return peer.hop_limit;
    };
    EXPECT_EQ(arrives(64), 63);
    EXPECT_EQ(arrives(200), 199);
    peer.sends = 1;
    EXPECT_EQ(arrives(100), 99);
    EXPECT_EQ(arrives(255), 99) << "one datagram does not renew a loop";
    EXPECT_EQ(arrives(0), 99) << "nor does one whose limit is unknown";
    peer.sends = 0;
    EXPECT_EQ(arrives(255), 254);
}

TEST(GtudpPeerTable, addresses_differ_by_port_scope_and_ip) {
    PeerTable table(4, peer_key);
    Address other_port = address(1), other_scope = address(1);
    other_port.port = 10;
    other_scope.scope = 1;
    const PeerIndex one = table.acquire(address(1));
    EXPECT_EQ(table.find(other_port), none);
    EXPECT_EQ(table.find(other_scope), none);
    EXPECT_NE(table.acquire(other_port), one);
    EXPECT_EQ(table.find(address(1)), one);
}

TEST(GtudpPeerTable, a_full_table_evicts_the_least_recently_used_peer) {
    PeerTable table(2, peer_key);
    table[table.acquire(address(1))].ack_credit = 111;
    table.acquire(address(2));
    table.acquire(address(1));  // used again
    const PeerIndex three = table.acquire(address(3));
    EXPECT_NE(three, none);
    EXPECT_EQ(table.evictions(), 1u);
    EXPECT_EQ(table.find(address(2)), none);
    ASSERT_NE(table.find(address(1)), none);
    EXPECT_EQ(table[table.find(address(1))].ack_credit, 111u);
    table.find(address(1));  // finding does not count as use
    table.acquire(address(4));
    EXPECT_EQ(table.find(address(1)), none);
    EXPECT_EQ(table.find(address(3)), three);
}

TEST(GtudpPeerTable, a_reused_entry_is_reset) {
    PeerTable table(1, peer_key);
    Peer& peer = table[table.acquire(address(1))];
    peer.verified = true;
    peer.acknowledged = true;
    peer.count_received(5);
    peer.ack_credit = 6;
    peer.rtt.sample(second, 0);
    const Peer& fresh = table[table.acquire(address(2))];
    EXPECT_EQ(fresh.address, address(2));
    EXPECT_FALSE(fresh.verified);
    EXPECT_FALSE(fresh.acknowledged);
    EXPECT_FALSE(fresh.may_send(0));
    EXPECT_EQ(fresh.ack_credit, 0u);
    EXPECT_FALSE(fresh.rtt.known());
}

TEST(GtudpPeerTable, held_peers_are_not_evicted) {
    PeerTable table(2, peer_key);
    const PeerIndex one = table.acquire(address(1)), two = table.acquire(address(2));
    table.hold(one);
    table.hold(one);
    table.hold(two);
    EXPECT_TRUE(table.all_held());
    EXPECT_EQ(table.acquire(address(3)), none);
    EXPECT_EQ(table.acquire(address(1)), one) << "a held peer is still found";
    table.release(one);
    EXPECT_TRUE(table.all_held()) << "it was held twice";
    table.release(one);
    EXPECT_FALSE(table.all_held());
    EXPECT_EQ(table.acquire(address(3)), one);
    EXPECT_EQ(table.find(address(1)), none);
    EXPECT_EQ(table.find(address(2)), two);
    EXPECT_EQ(table.evictions(), 1u);
}

TEST(GtudpPeerTable, a_released_peer_is_the_most_recent) {
    PeerTable table(2, peer_key);
    const PeerIndex one = table.acquire(address(1));
    table.hold(one);
    table.acquire(address(2));
    table.release(one);
    table.acquire(address(3));
    EXPECT_EQ(table.find(address(1)), one);
    EXPECT_EQ(table.find(address(2)), none);
}

TEST(GtudpPeerTable, counts_verified_peers_with_received_exchanges) {
    PeerTable table(4, peer_key);
    const PeerIndex one = table.acquire(address(1)), two = table.acquire(address(2));
    table.mark_verified(one);
    EXPECT_TRUE(table[one].verified);
    EXPECT_EQ(table.verified_receiving(), 0u);
    table.add_receive(one);
    table.add_receive(one);
    EXPECT_EQ(table[one].receives, 2u);
    EXPECT_EQ(table.verified_receiving(), 1u);
    table.add_receive(two);
    EXPECT_EQ(table.verified_receiving(), 1u);
    table.mark_verified(two);
    table.mark_verified(two);
    EXPECT_EQ(table.verified_receiving(), 2u);
    table.remove_receive(one);
    EXPECT_EQ(table.verified_receiving(), 2u);
    table.remove_receive(one);
    EXPECT_EQ(table.verified_receiving(), 1u);
    table.remove_receive(two);
    EXPECT_EQ(table.verified_receiving(), 0u);
}

TEST(GtudpPeerTable, counts_peers_that_have_acknowledged_separately) {
    PeerTable table(4, peer_key);
    const PeerIndex one = table.acquire(address(1)), two = table.acquire(address(2));
    for (const PeerIndex index : {one, two}) table.add_receive(index);
    EXPECT_EQ(table.unknown_receiving(), 2u);
    table.mark_acknowledged(one);
    table.mark_acknowledged(one);
    EXPECT_FALSE(table[one].verified);
    EXPECT_EQ(table.acknowledged_receiving(), 1u);
    EXPECT_EQ(table.verified_receiving(), 0u);
    EXPECT_EQ(table.unknown_receiving(), 1u);
    table.mark_verified(two);
    table.mark_acknowledged(two);
    EXPECT_TRUE(table[two].verified);
    EXPECT_EQ(table.acknowledged_receiving(), 2u);
    EXPECT_EQ(table.verified_receiving(), 1u);
    for (const PeerIndex index : {one, two}) table.remove_receive(index);
    EXPECT_EQ(table.acknowledged_receiving() + table.verified_receiving() + table.unknown_receiving(), 0u);
}

// ---- the budget of an address that may be spoofed --------------------------------------------------

TEST(GtudpPeer, the_budget_is_three_times_the_bytes_with_headers) {
    PeerTable table(1, peer_key);
    Peer& peer = table[table.acquire(address(1))];
    EXPECT_FALSE(peer.may_send(5)) << "nothing received yet";
    peer.count_received(5);  // 33 with headers
    EXPECT_TRUE(peer.may_send(99 - 28));
    EXPECT_FALSE(peer.may_send(99 - 28 + 1));
    peer.count_sent(5);
    peer.count_sent(5);
    EXPECT_TRUE(peer.may_send(5));
    EXPECT_FALSE(peer.may_send(6));
    peer.count_sent(5);
    EXPECT_FALSE(peer.may_send(0));
    table.mark_verified(0);
    EXPECT_TRUE(peer.may_send(60'000));
}

TEST(GtudpPeer, the_budget_saturates) {
    Peer peer;
    peer.address = address(1);
    for (int i = 0; i < 30'000; ++i) peer.count_received(65'507);
    EXPECT_EQ(peer.budget, UINT32_MAX);
}

TEST(GtudpPeer, headers_of_ipv6_are_longer_except_for_mapped_addresses) {
    Address v6;
    v6.family = Family::v6;
    v6.ip = {0xfe, 0x80};
    Address mapped = address(1);
    mapped.family = Family::v6;
    EXPECT_EQ(Peer::header_bytes_of(v6), 48u);
    EXPECT_EQ(Peer::header_bytes_of(mapped), 28u);
    EXPECT_EQ(Peer::header_bytes_of(address(1)), 28u);
}

// Compares the table with a simple implementation.
class Model {
  public:
    explicit Model(std::size_t capacity) : capacity_(capacity) {}

    bool acquire(std::size_t who) {
        if (!known_.contains(who)) {
            if (known_.size() == capacity_) {
                if (idle_.empty()) return false;
                known_.erase(idle_.front());
                idle_.pop_front();
                ++evictions_;
            }
            known_[who] = 0;
        }
        if (known_[who] == 0) {
            std::erase(idle_, who);
            idle_.push_back(who);
        }
        return true;
    }
    void hold(std::size_t who) {
        if (known_[who]++ == 0) std::erase(idle_, who);
    }
    void release(std::size_t who) {
        if (--known_[who] == 0) idle_.push_back(who);
    }
    bool all_held() const { return known_.size() == capacity_ && idle_.empty(); }

    std::map<std::size_t, int> known_;  // and the number of its holds
    std::uint64_t evictions_ = 0;

  private:
    std::size_t capacity_;
    std::deque<std::size_t> idle_;  // the least recently used first
};

TEST(GtudpPeerTable, agrees_with_a_model) {
    for (const std::uint32_t capacity : {1u, 2u, 16u, 64u}) {
        Random random(capacity);
        PeerTable table(capacity, {random(), random()});
        Model model(capacity);
        for (int step = 0; step < 20'000; ++step) {
            const std::size_t who = random() % (2 * capacity);
            const PeerIndex index = table.find(address(who));
            ASSERT_EQ(index != none, model.known_.contains(who));
            // Phases with more holds than releases and the reverse.
            const bool leaning = step / 500 % 2 == 0;
            if (index == none || random() % 4 == 0) {
                ASSERT_EQ(table.acquire(address(who)) != none, model.acquire(who));
            } else if (random() % 8 < (leaning ? 5u : 2u)) {
                table.hold(index);
                model.hold(who);
            } else if (model.known_[who] > 0) {
                table.release(index);
                model.release(who);
            }
            ASSERT_EQ(table.all_held(), model.all_held());
            ASSERT_EQ(table.size(), model.known_.size());
            ASSERT_EQ(table.evictions(), model.evictions_);
        }
        for (const auto& [who, holds] : model.known_) {
            const PeerIndex index = table.find(address(who));
            ASSERT_NE(index, none);
            EXPECT_EQ(table[index].address, address(who));
            EXPECT_EQ(table[index].holds, static_cast<std::uint32_t>(holds));
        }
        EXPECT_GT(model.evictions_, 0u);
    }
}

TEST(GtudpPeerTableDeathTest, capacity_is_a_power_of_two) { EXPECT_DEATH(PeerTable(5, peer_key), "check failed"); }

}  // namespace
}  // namespace ringpost::gtudp
