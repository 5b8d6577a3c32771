#include "codec/native/key_phases.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "codec/native/packet.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::native {
namespace {

constexpr Duration previous_kept = 300 * millisecond;

crypto::Key phase_key(int first) {
    crypto::Key key{};
    key[0] = static_cast<std::byte>(first);
    return key;
}

struct PhasedPacket {
    Bytes bytes;
    std::uint64_t number;
    Instant sent_at;
};

/// One side of a connection.
struct PhasedSide {
    PhasedSide(crypto::Suite suite, int send, int receive, const KeyUse& use)
        : keys(crypto::PacketKey(suite, phase_key(send)), crypto::PacketKey(suite, phase_key(receive)), 0, use) {}

    PhasedPacket sent(Instant now) {
        keys.update_if_due(now);
        PhasedPacket packet{Bytes(short_header_bytes + 30 + keys.tag_bytes()), next_number++, now};
        write_short_header(packet.bytes.data(), {{}, static_cast<std::uint32_t>(packet.number), keys.send_phase(), 0});
        keys.seal(packet.bytes, short_header_bytes, packet.number);
        return packet;
    }
    bool receives(Instant now, PhasedPacket packet) {
        const ShortHeader header = *parse_short_header(packet.bytes);
        return keys.open(now, packet.bytes, short_header_bytes, header.key_phase, packet.number, previous_kept);
    }

    KeyPhases keys;
    std::uint64_t next_number = 0;
};

struct PhasedPair {
    explicit PhasedPair(const KeyUse& use = {}, const KeyUse& other_use = {},
                        crypto::Suite suite = crypto::Suite::aes256_gcm)
        : one(suite, 1, 2, use), other(suite, 2, 1, other_use) {}
    PhasedSide one, other;
};

TEST(KeyPhases, the_peer_follows_an_update) {
    PhasedPair pair({.packets_max = 3});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(pair.other.receives(0, pair.one.sent(0)));
    const PhasedPacket first_of_phase = pair.one.sent(0);
    EXPECT_TRUE(pair.one.keys.send_phase());
    // The peer's packets from before still open.
    EXPECT_TRUE(pair.one.receives(0, pair.other.sent(0)));
    EXPECT_TRUE(pair.other.receives(0, first_of_phase));
    EXPECT_TRUE(pair.other.keys.send_phase());
    EXPECT_TRUE(pair.one.receives(0, pair.other.sent(0)));
    EXPECT_EQ(pair.one.keys.counters().updates_started, 1u);
    EXPECT_EQ(pair.other.keys.counters().updates_followed, 1u);
    EXPECT_EQ(pair.one.keys.counters().forged + pair.other.keys.counters().forged, 0u);
}

TEST(KeyPhases, an_update_is_due_by_packets_bytes_or_age) {
    for (const KeyUse& use : {KeyUse{.packets_max = 2}, KeyUse{.bytes_max = 100}, KeyUse{.age_max = 20}}) {
        PhasedPair pair(use);
        EXPECT_FALSE((pair.one.sent(0), pair.one.keys.send_phase()));
        EXPECT_FALSE((pair.one.sent(0), pair.one.keys.send_phase()));
        EXPECT_TRUE((pair.one.sent(20), pair.one.keys.send_phase()));
    }
    PhasedPair never_due;
    for (int i = 0; i < 1'000; ++i) never_due.one.sent(0);
    EXPECT_FALSE(never_due.one.keys.send_phase());
}

TEST(KeyPhases, the_next_update_waits_for_the_peer_and_for_the_previous_key) {
    PhasedPair pair({.packets_max = 1});
    pair.one.sent(0);
    const PhasedPacket started = pair.one.sent(0);
    for (int i = 0; i < 10; ++i) pair.one.sent(second);
    EXPECT_EQ(pair.one.keys.counters().updates_started, 1u) << "the peer has not followed";
    EXPECT_TRUE(pair.other.receives(second, started));
    EXPECT_TRUE(pair.one.receives(second, pair.other.sent(second)));
    pair.one.sent(second + previous_kept - 1);
    EXPECT_EQ(pair.one.keys.counters().updates_started, 1u) << "the previous key is there";
    pair.one.sent(second + previous_kept);
    EXPECT_EQ(pair.one.keys.counters().updates_started, 2u);
}

TEST(KeyPhases, late_packets_open_until_the_previous_key_goes) {
    PhasedPair pair({.packets_max = 2});
    const PhasedPacket late = pair.one.sent(0), later = pair.one.sent(0);
    EXPECT_TRUE(pair.other.receives(0, pair.one.sent(0)));
    EXPECT_TRUE(pair.other.receives(previous_kept - 1, late));
    EXPECT_EQ(pair.other.keys.counters().opened_late, 1u);
    EXPECT_FALSE(pair.other.receives(previous_kept, later));
    EXPECT_EQ(pair.other.keys.counters().forged, 1u);
}

TEST(KeyPhases, both_may_start_at_once) {
    PhasedPair pair({.packets_max = 1}, {.packets_max = 1});
    pair.one.sent(0), pair.other.sent(0);
    const PhasedPacket from_one = pair.one.sent(0), from_other = pair.other.sent(0);
    EXPECT_TRUE(pair.one.receives(0, from_other));
    EXPECT_TRUE(pair.other.receives(0, from_one));
    EXPECT_TRUE(pair.one.receives(0, pair.other.sent(0)));
    EXPECT_TRUE(pair.other.receives(0, pair.one.sent(0)));
    EXPECT_EQ(pair.one.keys.counters().updates_started + pair.other.keys.counters().updates_started, 2u);
    EXPECT_EQ(pair.one.keys.counters().updates_followed + pair.other.keys.counters().updates_followed, 0u);
}

TEST(KeyPhases, forgeries_are_counted_and_change_nothing) {
    PhasedPair pair;
    for (int i = 0; i < 100; ++i) {
        PhasedPacket forged = pair.one.sent(0);
        forged.bytes[0] ^= i % 2 == 0 ? std::byte{0x20} : std::byte{0};
        forged.bytes.back() ^= std::byte{1};
        EXPECT_FALSE(pair.other.receives(0, forged));
        EXPECT_TRUE(pair.other.receives(0, pair.one.sent(0)));
    }
    EXPECT_EQ(pair.other.keys.counters().forged, 100u);
    EXPECT_FALSE(pair.other.keys.send_phase());
    EXPECT_FALSE(pair.other.keys.is_exhausted());
}

// An update every 100 packets on both sides, on a link that loses and reorders.
TEST(KeyPhases, nothing_that_arrives_is_lost_to_updates) {
    for (const crypto::Suite suite :
         {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure}) {
        Random random(1);
        PhasedPair pair({.packets_max = 100}, {.packets_max = 130}, suite);
        std::deque<PhasedPacket> to_other, to_one;
        Instant now = 0;
        for (int i = 0; i < 20'000; ++i) {
            now += millisecond * 5;
            PhasedSide& sender = random() % 2 == 0 ? pair.one : pair.other;
            std::deque<PhasedPacket>& link = &sender == &pair.one ? to_other : to_one;
            PhasedPacket packet = sender.sent(now);
            if (random() % 4 != 0) link.push_back(std::move(packet));
            for (std::deque<PhasedPacket>* const each : {&to_other, &to_one}) {
                if (each->size() < 8) continue;
                // Any of the oldest eight, but none is later than 200 ms.
                const bool overdue = now - each->front().sent_at > 200 * millisecond;
                const auto chosen = each->begin() + static_cast<std::ptrdiff_t>(overdue ? 0 : random() % 8);
                PhasedSide& receiver = each == &to_other ? pair.other : pair.one;
                ASSERT_TRUE(receiver.receives(now, *chosen)) << i << ' ' << chosen->number;
                each->erase(chosen);
                ASSERT_LE(each->size(), 8u);
            }
        }
        const KeyPhaseCounters &one = pair.one.keys.counters(), &other = pair.other.keys.counters();
        EXPECT_GT(one.updates_started + other.updates_started, 50u);
        EXPECT_EQ(one.updates_started + one.updates_followed, other.updates_started + other.updates_followed);
        EXPECT_EQ(one.forged + other.forged, 0u);
        EXPECT_GT(one.opened_late + other.opened_late, 0u);
    }
}

}  // namespace
}  // namespace ringpost::native
