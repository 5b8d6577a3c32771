#include "codec/gtudp/shared_timers.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {
namespace {

using Key = std::pair<PeerIndex, Identity>;

std::vector<Key> expired(SharedTimers& timers, Instant now) {
    std::vector<Key> out;
    timers.expire(now, [&](PeerIndex peer, Identity identity) { out.emplace_back(peer, identity); });
    return out;
}

TEST(GtudpSharedTimers, the_exchanges_of_a_train_share_a_timer) {
    SharedTimers timers(256, 0);
    int intervals = 0;
    const auto set = [&](Instant now, PeerIndex peer, Identity identity, std::uint8_t kind = 0) {
        return timers.set(now, peer, identity, kind, [&] { return ++intervals; });
    };
    const TimerIndex first = set(100, 1, UINT32_MAX);
    EXPECT_EQ(set(100, 1, 0), first) << "identities wrap";
    EXPECT_EQ(set(100, 1, 62), first);
    EXPECT_EQ(intervals, 1);
    const TimerIndex next = set(100, 1, 63);
    EXPECT_NE(next, first) << "the 65th";
    EXPECT_NE(set(100, 1, 62), next) << "an earlier one";
    EXPECT_NE(set(100, 2, 62), next);
    const TimerIndex other_kind = set(100, 2, 63, 1), later = set(101, 2, 64, 1);
    EXPECT_NE(other_kind, later);
    EXPECT_NE(timers.set_alone(200, 2, 65), later);
    EXPECT_EQ(set(101, 2, 66, 1), later);
    EXPECT_EQ(intervals, 6);
}

TEST(GtudpSharedTimers, expire_together_but_for_those_that_were_cleared) {
    SharedTimers timers(8, 0);
    std::vector<TimerIndex> set;
    for (Identity identity = 5; identity < 9; ++identity)
        set.push_back(timers.set(0, 1, identity, 0, [] { return 100; }));
    timers.clear(set[1], 6);
    timers.clear(set[3], 8);
    EXPECT_EQ(timers.next(), 100);
    EXPECT_TRUE(expired(timers, 99).empty());
    EXPECT_EQ(expired(timers, 100), (std::vector<Key>{{1, 5}, {1, 7}}));
    EXPECT_EQ(timers.next(), std::nullopt);
}

TEST(GtudpSharedTimers, the_last_one_cleared_frees_the_timer) {
    SharedTimers timers(1, 0);
    for (Identity identity = 0; identity < 10; ++identity) {
        const TimerIndex timer = timers.set(0, 1, identity, 0, [] { return 100; });
        EXPECT_EQ(timers.next(), 100);
        timers.clear(timer, identity);
        EXPECT_EQ(timers.next(), std::nullopt);
    }
}

TEST(GtudpSharedTimers, those_being_expired_can_be_cleared_and_set_again) {
    SharedTimers timers(3, 0);
    std::vector<TimerIndex> set(3);
    for (Identity identity = 0; identity < 3; ++identity)
        set[identity] = timers.set(0, 1, identity, 0, [] { return 100; });
    std::vector<Key> seen;
    timers.expire(100, [&](PeerIndex peer, Identity identity) {
        seen.emplace_back(peer, identity);
        if (identity == 0) timers.clear(set[2], 2);
        set[identity] = timers.set(100, 1, identity, 0, [] { return 100; });
    });
    EXPECT_EQ(seen, (std::vector<Key>{{1, 0}, {1, 1}}));
    EXPECT_EQ(set[0], set[1]);
    EXPECT_EQ(expired(timers, 200), (std::vector<Key>{{1, 0}, {1, 1}}));
}

// Against one deadline for each exchange.
TEST(GtudpSharedTimers, agree_with_a_timer_for_each) {
    constexpr std::uint32_t capacity = 64;
    Random random(7);
    SharedTimers timers(capacity, 0);
    std::map<Key, std::pair<Instant, TimerIndex>> expected;
    Instant now = 0;
    Identity newest = UINT32_MAX - 2'000;
    for (int step = 0; step < 20'000; ++step) {
        if (random() % 16 == 0) now += static_cast<Instant>(random() % 300);
        const auto peer = static_cast<PeerIndex>(random() % 2);
        if (random() % 3 > 0 && expected.size() < capacity) {
            newest += random() % 8 == 0 ? static_cast<Identity>(random() % 100) : 1;
            if (expected.contains({peer, newest})) continue;
            const std::uint8_t kind = random() % 8 == 0;
            const Duration interval = 200 + 100 * kind + 10 * static_cast<Duration>(peer);
            const TimerIndex timer = random() % 8 == 0 ? timers.set_alone(now + interval, peer, newest)
                                                       : timers.set(now, peer, newest, kind, [&] { return interval; });
            expected[{peer, newest}] = {now + interval, timer};
        } else if (random() % 2 == 0 && !expected.empty()) {
            const auto cleared = std::next(expected.begin(), static_cast<long>(random() % expected.size()));
            timers.clear(cleared->second.second, cleared->first.second);
            expected.erase(cleared);
        }
        for (const Key& key : expired(timers, now)) {
            ASSERT_TRUE(expected.contains(key));
            EXPECT_LE(expected[key].first, now);
            expected.erase(key);
        }
        Instant earliest = never;
        for (const auto& [key, timer] : expected) earliest = std::min(earliest, timer.first);
        ASSERT_GT(earliest, now) << "one has not expired";
        ASSERT_LE(timers.next().value_or(never), earliest);
        ASSERT_EQ(timers.next().has_value(), !expected.empty());
    }
}

}  // namespace
}  // namespace ringpost::gtudp
