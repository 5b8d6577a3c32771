#include "codec/relay/impairment.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "codec/base/limits.hpp"

namespace ringpost::relay {
namespace {

constexpr int draws = 100'000;
constexpr Instant start = 5 * second;

struct Tally {
    int lost = 0, burst_lost = 0, blackholed = 0, duplicated = 0, corrupted = 0, reordered = 0, overflow = 0;
};

void add(Tally& tally, const Decision& decision) {
    tally.lost += decision.drop == Drop::lost;
    tally.burst_lost += decision.drop == Drop::burst_lost;
    tally.blackholed += decision.drop == Drop::blackholed;
    tally.duplicated += decision.copies == 2;
    for (std::uint8_t i = 0; i < decision.copies; ++i) {
        tally.corrupted += decision.copy[i].flips > 0;
        tally.reordered += decision.copy[i].reordered;
        tally.overflow += decision.copy[i].overflow;
    }
}

Tally tally_of(const Impairments& options, std::uint64_t seed = 1) {
    Impairment impairment(options, seed, start);
    Tally tally;
    for (int i = 0; i < draws; ++i) add(tally, impairment.decide(start + i * microsecond, 100));
    return tally;
}

// Five standard deviations of a binomial count. The seed is fixed, so the test passes always or never.
void expect_share(int count, double chance, int of = draws) {
    const double expected = chance * of;
    const double deviation = std::sqrt(expected * (1 - chance));
    EXPECT_NEAR(count, expected, 5 * deviation + 0.5) << chance;
}

TEST(RelayImpairment, without_impairments_everything_passes_once_and_at_once) {
    Impairment impairment({}, 1, start);
    for (int i = 0; i < 1'000; ++i) {
        const Decision decision = impairment.decide(start + i, 100);
        ASSERT_EQ(decision.drop, Drop::none);
        ASSERT_EQ(decision.copies, 1);
        ASSERT_EQ(decision.copy[0].due, start + i);
        ASSERT_EQ(decision.copy[0].flips, 0);
        ASSERT_FALSE(decision.copy[0].overflow || decision.copy[0].reordered);
    }
}

TEST(RelayImpairment, each_share_is_close_to_its_probability) {
    for (const double chance : {0.0, 0.001, 0.01, 0.05, 0.5, 1.0}) {
        expect_share(tally_of({.loss = chance}).lost, chance);
        expect_share(tally_of({.duplicate = chance}).duplicated, chance);
        expect_share(tally_of({.corrupt = chance}).corrupted, chance);
        expect_share(tally_of({.reorder = chance}).reordered, chance);
    }
}

TEST(RelayImpairment, each_copy_is_impaired_independently) {
    const Tally tally = tally_of({.loss = 0.1, .duplicate = 0.5, .corrupt = 0.2});
    const int passed = draws - tally.lost;
    expect_share(tally.duplicated, 0.5, passed);
    expect_share(tally.corrupted, 0.2, passed + tally.duplicated);
}

TEST(RelayImpairment, bursts_have_their_length_and_frequency) {
    for (const std::uint32_t length : {1u, 2u, 7u, 50u}) {
        const double chance = 0.01;
        Impairment impairment({.burst = chance, .burst_datagrams = length}, 3, start);
        // Runs of losses are whole bursts; several if one directly follows another.
        std::uint32_t run = 0;
        int bursts = 0, lost = 0;
        for (int i = 0; i < draws; ++i) {
            const bool gone = impairment.decide(start, 10).drop == Drop::burst_lost;
            run += gone ? 1 : 0;
            lost += gone ? 1 : 0;
            if (gone) continue;
            ASSERT_EQ(run % length, 0u);
            bursts += static_cast<int>(run / length);
            run = 0;
        }
        bursts += static_cast<int>((run + length - 1) / length);
        expect_share(bursts, chance, draws - lost + bursts);
    }
}

TEST(RelayImpairment, one_to_three_distinct_bits_flip_anywhere_in_the_datagram) {
    Impairment impairment({.corrupt = 1}, 4, start);
    std::array<int, corrupt_bits_max + 1> by_flips{};
    std::set<std::uint32_t> seen;
    for (int i = 0; i < draws; ++i) {
        const Copy copy = impairment.decide(start, 2).copy[0];
        ASSERT_GE(copy.flips, 1);
        ASSERT_LE(copy.flips, corrupt_bits_max);
        ++by_flips[copy.flips];
        const std::set<std::uint32_t> bits(copy.flip.begin(), copy.flip.begin() + copy.flips);
        ASSERT_EQ(bits.size(), copy.flips);
        ASSERT_LT(*bits.rbegin(), 16u);
        seen.insert(bits.begin(), bits.end());
    }
    EXPECT_EQ(seen.size(), 16u);
    for (std::size_t flips = 1; flips <= corrupt_bits_max; ++flips) expect_share(by_flips[flips], 1.0 / 3);
    EXPECT_EQ(impairment.decide(start, 0).copy[0].flips, 0) << "an empty datagram has no bits";
}

TEST(RelayImpairment, delay_and_jitter_cover_exactly_their_range) {
    Impairment impairment({.delay = 10 * millisecond, .jitter = 3 * millisecond}, 5, start);
    Duration least = never, most = 0, sum = 0;
    for (int i = 0; i < draws; ++i) {
        const Instant now = start + i * microsecond;
        const Duration delay = impairment.decide(now, 10).copy[0].due - now;
        least = std::min(least, delay);
        most = std::max(most, delay);
        sum += delay;
    }
    EXPECT_GE(least, 10 * millisecond);
    EXPECT_LT(least, 10 * millisecond + microsecond);
    EXPECT_LE(most, 13 * millisecond);
    EXPECT_GT(most, 13 * millisecond - microsecond);
    EXPECT_NEAR(static_cast<double>(sum) / draws, 11.5e6, 15e3);
}

TEST(RelayImpairment, a_reordered_datagram_is_later_than_others_by_the_hold) {
    Impairment impairment({.reorder = 0.1, .delay = 2 * millisecond}, 6, start);
    for (int i = 0; i < 1'000; ++i) {
        const Copy copy = impairment.decide(start + i, 10).copy[0];
        EXPECT_EQ(copy.due, start + i + 2 * millisecond + (copy.reordered ? reorder_hold : 0));
    }
}

TEST(RelayImpairment, a_rate_spaces_datagrams_exactly_by_their_bits) {
    Impairment impairment({.rate_bits_per_s = 100'000'000, .delay = millisecond}, 7, start);
    for (int i = 1; i <= 100; ++i)  // 64 + 28 bytes: 736 bits, 7.36 us each
        EXPECT_EQ(impairment.decide(start, 64).copy[0].due, start + i * 7'360 + millisecond);
    EXPECT_EQ(impairment.decide(start, 1'472).copy[0].due, start + 100 * 7'360 + 120'000 + millisecond);
    // The link was idle, so the next one does not wait.
    EXPECT_EQ(impairment.decide(start + second, 0).copy[0].due, start + second + 2'240 + millisecond);
}

TEST(RelayImpairment, a_rate_that_does_not_divide_evenly_loses_no_time) {
    constexpr std::uint64_t rate = 7'000'003;
    constexpr std::int64_t count = 400;
    constexpr std::int64_t bits = (100 + 28) * 8;
    Impairment impairment({.rate_bits_per_s = rate}, 8, start);
    Instant due = 0;
    for (int i = 0; i < count; ++i) due = impairment.decide(start, 100).copy[0].due;
    EXPECT_EQ(due - start, count * bits * second / static_cast<std::int64_t>(rate));
}

TEST(RelayImpairment, a_full_queue_overflows_and_drains) {
    constexpr Duration each = millisecond;  // 972 + 28 bytes: 8,000 bits at 8 Mbit/s
    Impairment impairment({.rate_bits_per_s = 8'000'000}, 9, start);
    const auto arrive = [&](Instant now) { return impairment.decide(now, 972).copy[0]; };
    const auto fits = static_cast<int>(limits::relay_queue_ns_max / each) + 1;  // the last waits for exactly the
                                                                                // maximum
    for (int i = 0; i < fits; ++i) EXPECT_FALSE(arrive(start).overflow) << i;
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(arrive(start).overflow);
    const Copy next = arrive(start + each);
    EXPECT_FALSE(next.overflow);
    EXPECT_EQ(next.due, start + (fits + 1) * each) << "dropped datagrams occupy no time on the link";
    EXPECT_TRUE(arrive(start + each).overflow);
}

TEST(RelayImpairment, a_blackhole_keeps_its_periods_exactly) {
    constexpr Duration on = 200 * millisecond, off = second;
    Impairment impairment({.blackhole_on = on, .blackhole_off = off}, 10, start);
    for (int round = 0; round < 5; ++round) {
        const Instant begins = start + round * (on + off);
        const auto drop_at = [&](Duration at) { return impairment.decide(begins + at, 1).drop; };
        EXPECT_EQ(drop_at(0), Drop::none);
        EXPECT_EQ(drop_at(off - 1), Drop::none);
        EXPECT_EQ(drop_at(off), Drop::blackholed);
        EXPECT_EQ(drop_at(off + on - 1), Drop::blackholed);
    }
}

TEST(RelayImpairment, without_jitter_and_reordering_due_times_do_not_decrease) {
    Impairment impairment({.loss = 0.1, .duplicate = 0.2, .rate_bits_per_s = 3'000'000, .delay = millisecond}, 11,
                          start);
    SplitMix64 random(12);
    Instant now = start, last = 0;
    for (int i = 0; i < draws; ++i) {
        now += static_cast<Duration>(random.below(600'000));
        const Decision decision = impairment.decide(now, random.below(300));
        for (std::uint8_t k = 0; k < decision.copies; ++k) {
            if (decision.copy[k].overflow) continue;
            ASSERT_GE(decision.copy[k].due, last);
            last = decision.copy[k].due;
        }
    }
}

TEST(RelayImpairment, same_seed_and_arrivals_give_the_same_decisions) {
    const Impairments all{.loss = 0.1,
                          .burst = 0.01,
                          .burst_datagrams = 5,
                          .duplicate = 0.1,
                          .corrupt = 0.1,
                          .reorder = 0.1,
                          .rate_bits_per_s = 50'000'000,
                          .delay = millisecond,
                          .jitter = millisecond};
    const auto decisions = [&](std::uint64_t seed) {
        Impairment impairment(all, seed, start);
        std::vector<std::int64_t> out;
        for (int i = 0; i < 5'000; ++i) {
            const Decision decision = impairment.decide(start + i * 10 * microsecond, 50);
            out.push_back(static_cast<std::int64_t>(decision.drop));
            for (const Copy& copy : decision.copy)
                out.insert(out.end(), {copy.due, copy.flips, copy.flip[0], copy.overflow, copy.reordered});
        }
        return out;
    };
    EXPECT_EQ(decisions(1), decisions(1));
    EXPECT_NE(decisions(1), decisions(2));
}

}  // namespace
}  // namespace ringpost::relay
