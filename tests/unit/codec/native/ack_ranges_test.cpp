#include "codec/native/ack_ranges.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace ringpost::native {
namespace {

using Ranges = std::vector<recovery::PacketRange>;

Ranges newest_of(const AckRanges& ranges, std::size_t most = limits::native_ranges_kept_max) {
    Ranges out(most);
    out.resize(ranges.newest(out));
    return out;
}

TEST(NativeAckRanges, ranges_grow_join_and_split) {
    AckRanges ranges;
    EXPECT_TRUE(ranges.empty());
    for (const std::uint64_t number : {5u, 6u, 7u}) ranges.add(number);
    EXPECT_EQ(newest_of(ranges), (Ranges{{5, 7}}));
    ranges.add(10);
    EXPECT_EQ(newest_of(ranges), (Ranges{{10, 10}, {5, 7}}));
    ranges.add(9);
    EXPECT_EQ(newest_of(ranges), (Ranges{{9, 10}, {5, 7}}));
    ranges.add(2);
    ranges.add(8);
    EXPECT_EQ(newest_of(ranges), (Ranges{{5, 10}, {2, 2}}));
    ranges.add(3);
    EXPECT_EQ(newest_of(ranges), (Ranges{{5, 10}, {2, 3}}));
    EXPECT_EQ(ranges.largest(), 10u);
    ranges.forget_up_to(6);
    EXPECT_EQ(newest_of(ranges), (Ranges{{7, 10}}));
    EXPECT_EQ(newest_of(ranges, 0), Ranges{});
    ranges.forget_up_to(10);
    EXPECT_TRUE(ranges.empty());
    ranges.add(1);
    EXPECT_EQ(newest_of(ranges), (Ranges{{1, 1}}));
}

TEST(NativeAckRanges, the_last_place_joins_the_one_before) {
    AckRanges ranges;
    // Every second number, as many as there are places, and then the one between the last two.
    constexpr std::uint64_t places = 2 * limits::native_ranges_kept_max;
    for (std::uint64_t i = 0; i < places; ++i) ranges.add(2 * i);
    ranges.add(2 * places - 3);
    EXPECT_EQ(newest_of(ranges, 2), (Ranges{{2 * places - 4, 2 * places - 2}, {2 * places - 6, 2 * places - 6}}));
}

TEST(NativeAckRanges, only_the_newest_are_kept) {
    AckRanges ranges;
    for (std::uint64_t i = 0; i < 5'000; ++i) ranges.add(2 * i);
    const Ranges all = newest_of(ranges);
    ASSERT_EQ(all.size(), limits::native_ranges_kept_max);
    EXPECT_EQ(all.front(), (recovery::PacketRange{9'998, 9'998}));
    EXPECT_EQ(all.back().first, 9'998 - 2 * (limits::native_ranges_kept_max - 1));
    ranges.add(1);  // older than all
    EXPECT_EQ(newest_of(ranges), all);
}

// Against a set. What is kept is exactly the newest part of it.
TEST(NativeAckRanges, agree_with_a_set) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        std::mt19937_64 random(seed);
        AckRanges ranges;
        std::set<std::uint64_t> numbers;
        std::uint64_t next = 0;
        bool forgets = false;  // some were too many
        for (int i = 0; i < 6'000; ++i) {
            next += random() % (seed % 5 + 2);
            const std::uint64_t number = next - std::min<std::uint64_t>(next, random() % 40);
            if (!numbers.insert(number).second) continue;
            ranges.add(number);
            ASSERT_EQ(ranges.largest(), *numbers.rbegin());
            const Ranges all = newest_of(ranges);
            ASSERT_LE(all.size(), limits::native_ranges_kept_max);
            forgets = forgets || all.size() == limits::native_ranges_kept_max;
            if (i % 50 != 0) continue;
            auto expected = numbers.rbegin();
            for (const auto& [first, last] : all)
                for (std::uint64_t n = last + 1; n > first; --n) ASSERT_EQ(n - 1, *expected++);
            ASSERT_TRUE(expected == numbers.rend() || forgets);
        }
    }
}

}  // namespace
}  // namespace ringpost::native
