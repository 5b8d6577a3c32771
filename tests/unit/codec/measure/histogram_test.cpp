#include "codec/measure/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

namespace ringpost {
namespace {

constexpr Duration top = Histogram::trackable_ns_max;

struct Bucket {
    Duration lowest;
    Duration highest;
    std::uint64_t count;
    bool operator==(const Bucket&) const = default;
};

std::vector<Bucket> buckets_of(const Histogram& histogram) {
    std::vector<Bucket> buckets;
    histogram.for_each_bucket(
        [&](Duration lowest, Duration highest, std::uint64_t count) { buckets.push_back({lowest, highest, count}); });
    return buckets;
}

// Durations distributed evenly over the orders of magnitude, like latencies.
Duration random_duration(std::mt19937_64& random) {
    const std::uint64_t bits = random() % 36;
    return std::min<Duration>(static_cast<Duration>(random() & ((2ull << bits) - 1)), top);
}

TEST(Histogram, an_empty_histogram_is_all_zero) {
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.saturated(), 0u);
    EXPECT_EQ(histogram.min(), 0);
    EXPECT_EQ(histogram.max(), 0);
    EXPECT_EQ(histogram.mean(), 0.0);
    EXPECT_EQ(histogram.percentile(0), 0);
    EXPECT_EQ(histogram.percentile(50), 0);
    EXPECT_EQ(histogram.percentile(100), 0);
    EXPECT_TRUE(buckets_of(histogram).empty());
}

TEST(Histogram, a_bucket_is_never_wider_than_a_thousandth_of_its_values) {
    std::vector<Duration> values = {0, top};
    for (unsigned bit = 0; bit < 36; ++bit) {
        for (Duration offset = -3; offset <= 3; ++offset) values.push_back((Duration{1} << bit) + offset);
        values.push_back((Duration{3} << bit) / 2);
    }
    Histogram histogram;
    for (const Duration value : values) {
        if (value < 0 || value > top) continue;
        histogram.reset();
        histogram.record(value);
        const std::vector<Bucket> buckets = buckets_of(histogram);
        ASSERT_EQ(buckets.size(), 1u) << value;
        const Bucket& bucket = buckets[0];
        EXPECT_LE(bucket.lowest, value);
        EXPECT_GE(bucket.highest, value);
        EXPECT_LE((bucket.highest - bucket.lowest) * 1'000, bucket.lowest) << value;
        if (value < 2'048) {
            EXPECT_EQ(bucket.lowest, bucket.highest) << value;
        }
        EXPECT_EQ(histogram.min(), value);
        EXPECT_EQ(histogram.max(), value);
    }
}

TEST(Histogram, buckets_tile_the_range_in_the_layout_of_hdr_histogram) {
    // One value per bucket: 2048 of 1 ns, then 1024 in each further power of two.
    Histogram histogram;
    for (Duration value = 0; value < 2'048; ++value) histogram.record(value);
    for (Duration width = 2; width * 1'024 <= top; width *= 2) {
        for (Duration part = 1'024; part < 2'048 && width * part <= top; ++part) histogram.record(width * part);
    }
    Duration lowest_expected = 0;
    for (const Bucket& bucket : buckets_of(histogram)) {
        ASSERT_EQ(bucket.lowest, lowest_expected);
        ASSERT_EQ(bucket.count, 1u) << bucket.lowest;
        const auto bits = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(bucket.lowest)));
        ASSERT_EQ(bucket.highest - bucket.lowest + 1, Duration{1} << (std::max(bits, 11u) - 11)) << bucket.lowest;
        lowest_expected = bucket.highest + 1;
    }
    EXPECT_GT(lowest_expected, top);
}

TEST(Histogram, negative_durations_count_as_zero) {
    Histogram histogram;
    histogram.record(-1);
    histogram.record(std::numeric_limits<Duration>::min());
    EXPECT_EQ(buckets_of(histogram), (std::vector<Bucket>{{0, 0, 2}}));
    EXPECT_EQ(histogram.min(), 0);
    EXPECT_EQ(histogram.max(), 0);
    EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, durations_above_a_minute_saturate) {
    Histogram histogram;
    histogram.record(top);
    EXPECT_EQ(histogram.saturated(), 0u);
    histogram.record(top + 1);
    histogram.record(90 * second);
    EXPECT_EQ(histogram.saturated(), 2u);
    EXPECT_EQ(histogram.count(), 3u);
    EXPECT_EQ(histogram.max(), 90 * second);
    const std::vector<Bucket> buckets = buckets_of(histogram);
    ASSERT_EQ(buckets.size(), 1u);
    EXPECT_EQ(buckets[0].count, 3u);
    EXPECT_LE(buckets[0].lowest, top);
    EXPECT_GE(buckets[0].highest, top);

    histogram.record(1);
    EXPECT_EQ(histogram.percentile(25), 1);
    EXPECT_EQ(histogram.percentile(50), 90 * second) << "a saturated bucket has no upper bound but max()";
}

TEST(Histogram, accepts_the_longest_duration) {
    Histogram histogram;
    for (int i = 0; i < 3; ++i) histogram.record(std::numeric_limits<Duration>::max());
    EXPECT_EQ(histogram.saturated(), 3u);
    EXPECT_EQ(histogram.max(), std::numeric_limits<Duration>::max());
    EXPECT_DOUBLE_EQ(histogram.mean(), std::ldexp(1.0, 63)) << "the sum of three exceeds 64 bits";
}

TEST(Histogram, many_at_once_equal_one_by_one) {
    std::mt19937_64 random(3);
    Histogram at_once, one_by_one;
    for (const std::size_t count : {0, 1, 2, 100, 3}) {
        std::vector<Duration> durations(count);
        for (Duration& each : durations) each = random_duration(random) - 5;
        if (count > 50) durations[7] = never, durations[20] = top + 1;
        at_once.record_each(count, [&](std::size_t i) { return durations[i]; });
        for (const Duration each : durations) one_by_one.record(each);
        EXPECT_EQ(at_once.totals(), one_by_one.totals());
    }
    EXPECT_EQ(buckets_of(at_once), buckets_of(one_by_one));
}

TEST(Histogram, percentiles_match_the_sorted_values_within_a_bucket) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        std::mt19937_64 random(seed);
        Histogram histogram;
        std::vector<Duration> values(1 + random() % 20'000);
        double sum = 0;
        for (Duration& value : values) {
            value = random_duration(random);
            histogram.record(value);
            sum += static_cast<double>(value);
        }
        std::sort(values.begin(), values.end());
        EXPECT_EQ(histogram.min(), values.front());
        EXPECT_EQ(histogram.max(), values.back());
        EXPECT_NEAR(histogram.mean(), sum / static_cast<double>(values.size()), 1e-9 * sum);
        EXPECT_EQ(histogram.percentile(0), values.front());
        EXPECT_EQ(histogram.percentile(100), values.back());
        for (std::size_t permille = 1; permille <= 1'000; ++permille) {
            const std::size_t rank = (permille * values.size() + 999) / 1'000;
            const Duration exact = values[rank - 1];
            const Duration reported = histogram.percentile(static_cast<double>(permille) / 10);
            ASSERT_GE(reported, exact) << permille;
            ASSERT_LE((reported - exact) * 1'000, exact) << permille;
            ASSERT_LE(reported, histogram.max()) << permille;
        }
    }
}

TEST(Histogram, percentile_uses_the_rank_of_decimal_arithmetic) {
    Histogram histogram;
    for (Duration value = 1; value <= 1'000; ++value) histogram.record(value);
    EXPECT_EQ(histogram.percentile(0.1), 1);
    EXPECT_EQ(histogram.percentile(50), 500);
    EXPECT_EQ(histogram.percentile(99), 990);
    EXPECT_EQ(histogram.percentile(99.9), 999);
    EXPECT_EQ(histogram.percentile(99.91), 1'000);
    EXPECT_EQ(histogram.percentile(-5), 1);
    EXPECT_EQ(histogram.percentile(200), 1'000);
    EXPECT_EQ(histogram.percentile(1e-300), 1);
}

Histogram one_to(Duration longest) {
    Histogram histogram;
    for (Duration value = 1; value <= longest; ++value) histogram.record(value);
    return histogram;
}

TEST(Histogram, lost_durations_count_as_longer_than_all_recorded) {
    const Histogram histogram = one_to(900);
    EXPECT_EQ(percentile_with_lost(histogram, 0, 100), 1);
    EXPECT_EQ(percentile_with_lost(histogram, 50, 100), 500);
    EXPECT_EQ(percentile_with_lost(histogram, 89.9, 100), 899);
    EXPECT_EQ(percentile_with_lost(histogram, 90, 100), 900) << "the longest recorded one";
    EXPECT_EQ(percentile_with_lost(histogram, 90.1, 100), std::nullopt);
    EXPECT_EQ(percentile_with_lost(histogram, 99, 100), std::nullopt);
    EXPECT_EQ(percentile_with_lost(histogram, 100, 100), std::nullopt);
    EXPECT_EQ(percentile_with_lost(histogram, 100, 1), std::nullopt) << "the longest one is the lost one";
    EXPECT_EQ(percentile_with_lost(histogram, 99.99, UINT64_MAX / 4), std::nullopt);
}

TEST(Histogram, the_longest_is_lost_even_among_so_many_that_a_double_rounds_their_number) {
    Histogram histogram;
    histogram.record_bucket(5, std::uint64_t{1} << 60);
    EXPECT_EQ(percentile_with_lost(histogram, 100, 1), std::nullopt);
    EXPECT_EQ(percentile_with_lost(histogram, 50, 1), 5);
}

TEST(Histogram, without_lost_durations_the_percentiles_are_those_recorded) {
    const Histogram histogram = one_to(1'000);
    for (const double percent : {0.0, 0.1, 50.0, 99.0, 99.9, 99.99, 100.0})
        EXPECT_EQ(percentile_with_lost(histogram, percent, 0), histogram.percentile(percent)) << percent;
}

TEST(Histogram, nothing_recorded_has_no_percentile_with_or_without_losses) {
    for (const double percent : {0.0, 50.0, 100.0}) {
        EXPECT_EQ(percentile_with_lost(Histogram{}, percent, 0), std::nullopt) << percent;
        EXPECT_EQ(percentile_with_lost(Histogram{}, percent, 7), std::nullopt) << percent;
    }
}

TEST(Histogram, percentiles_with_losses_match_the_sorted_values) {
    const std::uint64_t seed = 21;
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 20; ++round) {
        const auto recorded = static_cast<Duration>(1 + random() % 1'000);
        const std::uint64_t lost = random() % 1'000;
        const Histogram histogram = one_to(recorded);
        const std::uint64_t all = static_cast<std::uint64_t>(recorded) + lost;
        for (std::uint64_t permille = 1; permille <= 1'000; ++permille) {
            const auto rank = static_cast<Duration>((permille * all + 999) / 1'000);
            const auto expected = rank <= recorded ? std::optional(rank) : std::nullopt;
            ASSERT_EQ(percentile_with_lost(histogram, static_cast<double>(permille) / 10, lost), expected)
                << permille << " of " << recorded << " and " << lost << " lost";
        }
    }
}

TEST(Histogram, merging_equals_recording_everything_in_one) {
    const std::uint64_t seed = 11;
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Histogram left, right, both;
    for (int i = 0; i < 20'000; ++i) {
        Duration value = random_duration(random);
        if (i % 1'000 == 0) value = std::numeric_limits<Duration>::max() - i;
        (random() % 2 == 0 ? left : right).record(value);
        both.record(value);
    }
    left.merge(right);
    left.merge(Histogram{});
    const auto figures = [](const Histogram& h) {
        return std::tuple(h.count(), h.saturated(), h.min(), h.max(), h.mean(), h.percentile(50), h.percentile(99.99));
    };
    EXPECT_EQ(figures(left), figures(both));
    EXPECT_EQ(buckets_of(left), buckets_of(both));

    Histogram empty;
    empty.merge(both);
    EXPECT_EQ(figures(empty), figures(both));
}

TEST(Histogram, merging_carries_a_sum_beyond_64_bits) {
    Histogram left, right;
    for (Histogram* histogram : {&left, &right}) {
        histogram->record(std::numeric_limits<Duration>::max());
        histogram->record(1'000);
    }
    left.merge(right);
    EXPECT_DOUBLE_EQ(left.mean(), std::ldexp(1.0, 62));
}

// Includes saturated durations and a sum of more than 64 bits.
Histogram random_histogram(std::mt19937_64& random) {
    Histogram histogram;
    for (int i = 0; i < 5'000; ++i)
        histogram.record(i % 1'000 == 0 ? std::numeric_limits<Duration>::max() - i : random_duration(random));
    return histogram;
}

bool identical(const Histogram& a, const Histogram& b) {
    return a.totals() == b.totals() && std::ranges::equal(a.bucket_counts(), b.bucket_counts());
}

TEST(Histogram, is_restored_from_its_counts_and_totals) {
    std::mt19937_64 random(12);
    const Histogram original = random_histogram(random);
    Histogram rebuilt(original.bucket_counts(), original.totals());
    EXPECT_TRUE(identical(rebuilt, original));
    EXPECT_EQ(rebuilt.mean(), original.mean());
    EXPECT_EQ(rebuilt.percentile(99), original.percentile(99));
    EXPECT_TRUE(identical(Histogram(Histogram{}.bucket_counts(), Histogram{}.totals()), Histogram{}));

    rebuilt.record(0);
    EXPECT_EQ(rebuilt.min(), 0);
    EXPECT_EQ(rebuilt.count(), original.count() + 1);
}

TEST(Histogram, sums_of_counts_and_totals_equal_merging) {
    std::mt19937_64 random(13);
    std::vector<std::uint64_t> counts(Histogram{}.bucket_counts().size());
    Histogram::Totals totals;
    Histogram merged;
    for (int i = 0; i < 4; ++i) {
        const Histogram one = i == 2 ? Histogram{} : random_histogram(random);
        for (std::size_t index = 0; index < counts.size(); ++index) counts[index] += one.bucket_counts()[index];
        totals.add(one.totals());
        merged.merge(one);
    }
    EXPECT_GT(totals.sum_high, 0u);
    EXPECT_TRUE(identical(Histogram(counts, totals), merged));
}

TEST(HistogramDeathTest, refuses_totals_that_do_not_match_the_counts) {
    EXPECT_DEATH(Histogram(Histogram{}.bucket_counts(), {.count = 1}), "check failed");
    EXPECT_DEATH(Histogram({}, {}), "check failed");
}

TEST(Histogram, reset_clears_everything) {
    Histogram histogram;
    histogram.record(5);
    histogram.record(90 * second);
    histogram.reset();
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.saturated(), 0u);
    EXPECT_TRUE(buckets_of(histogram).empty());
    histogram.record(7);
    EXPECT_EQ(histogram.min(), 7);
    EXPECT_EQ(histogram.max(), 7);
    EXPECT_EQ(histogram.mean(), 7.0);
}

}  // namespace
}  // namespace ringpost
