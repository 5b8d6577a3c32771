#include "codec/traffic/sizes.hpp"

#include <gtest/gtest.h>

#include <map>

#include "codec/base/limits.hpp"
#include "codec/traffic/frame.hpp"

namespace ringpost::traffic {
namespace {

std::map<std::size_t, int> drawn(const Sizes& sizes, int count) {
    SplitMix64 random(1);
    std::map<std::size_t, int> times;
    for (int i = 0; i < count; ++i) ++times[sizes.draw(random)];
    return times;
}

TEST(Sizes, fixed_is_one_size) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, limits::datagram_bytes_max}) {
        const Sizes sizes = Sizes::fixed(bytes);
        EXPECT_TRUE(sizes.is_fixed());
        EXPECT_EQ(sizes.smallest(), bytes);
        EXPECT_EQ(sizes.largest(), bytes);
        EXPECT_DOUBLE_EQ(sizes.mean(), static_cast<double>(bytes));
        EXPECT_EQ(drawn(sizes, 10), (std::map<std::size_t, int>{{bytes, 10}}));
    }
}

TEST(Sizes, a_range_is_uniform) {
    const Sizes sizes = *Sizes::range(64, 71);
    EXPECT_FALSE(sizes.is_fixed());
    EXPECT_EQ(sizes.smallest(), 64u);
    EXPECT_EQ(sizes.largest(), 71u);
    EXPECT_DOUBLE_EQ(sizes.mean(), 67.5);
    const auto times = drawn(sizes, 80'000);
    ASSERT_EQ(times.size(), 8u);
    for (const auto& [bytes, count] : times) EXPECT_NEAR(count, 10'000, 500) << bytes;
    EXPECT_TRUE(Sizes::range(9, 9)->is_fixed());
}

TEST(Sizes, a_list_follows_its_weights) {
    const Sizes sizes = *Sizes::weighted({{1'472, 1}, {64, 7}, {576, 3}, {576, 1}});
    EXPECT_EQ(sizes.smallest(), 64u);
    EXPECT_EQ(sizes.largest(), 1'472u);
    EXPECT_DOUBLE_EQ(sizes.mean(), (64.0 * 7 + 576 * 4 + 1'472) / 12);
    const auto times = drawn(sizes, 120'000);
    ASSERT_EQ(times.size(), 3u);
    EXPECT_NEAR(times.at(64), 70'000, 1'500);
    EXPECT_NEAR(times.at(576), 40'000, 1'500);
    EXPECT_NEAR(times.at(1'472), 10'000, 500);
    EXPECT_TRUE(Sizes::weighted({{64, 7}, {64, 1}})->is_fixed());
}

// IMIX is defined by frames on the wire, as in other testers.
TEST(Sizes, imix_matches_other_testers) {
    constexpr std::size_t headers = 14 + 4 + 20 + 8;
    const Sizes imix = Sizes::imix();
    const auto list = imix.list();
    ASSERT_EQ(list.size(), 3u);
    EXPECT_EQ(list[0], (Sizes::Weighted{frame_bytes_min, 7})) << "18 would be a frame of 64";
    EXPECT_EQ(list[1], (Sizes::Weighted{594 - headers, 4}));
    EXPECT_EQ(list[2], (Sizes::Weighted{1'518 - headers, 1}));
}

TEST(Sizes, same_seed_gives_the_same_sizes) {
    SplitMix64 a(7), b(7), other(8);
    const Sizes sizes = *Sizes::range(1, 60'000);
    int different = 0;
    for (int i = 0; i < 100; ++i) {
        const std::size_t first = sizes.draw(a);
        EXPECT_EQ(first, sizes.draw(b));
        different += first != sizes.draw(other);
    }
    EXPECT_GT(different, 90);
}

TEST(Sizes, refuses_sizes_that_no_datagram_has) {
    constexpr std::size_t most = limits::datagram_bytes_max;
    EXPECT_EQ(Sizes::range(0, 5).error(), SizesError::out_of_range);
    EXPECT_EQ(Sizes::range(5, most + 1).error(), SizesError::out_of_range);
    EXPECT_EQ(Sizes::range(6, 5).error(), SizesError::backwards);
    EXPECT_EQ(Sizes::weighted({}).error(), SizesError::count);
    EXPECT_EQ(Sizes::weighted(std::vector<Sizes::Weighted>(limits::load_sizes_max + 1, {64, 1})).error(),
              SizesError::count);
    EXPECT_EQ(Sizes::weighted({{64, 1}, {0, 1}}).error(), SizesError::out_of_range);
    EXPECT_EQ(Sizes::weighted({{most + 1, 1}}).error(), SizesError::out_of_range);
    EXPECT_EQ(Sizes::weighted({{64, 0}}).error(), SizesError::weights);
    EXPECT_EQ(Sizes::weighted({{64, Sizes::weight_max + 1}}).error(), SizesError::weights);
    EXPECT_TRUE(Sizes::weighted(std::vector<Sizes::Weighted>(limits::load_sizes_max, {most, Sizes::weight_max})));
    EXPECT_TRUE(Sizes::range(1, most));
}

}  // namespace
}  // namespace ringpost::traffic
