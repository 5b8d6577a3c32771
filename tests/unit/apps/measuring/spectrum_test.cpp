#include "apps/measuring/spectrum.hpp"

#include <gtest/gtest.h>

namespace ringpost::apps {
namespace {

constexpr Duration us = 1'000;

Histogram recorded(std::initializer_list<Duration> durations) {
    Histogram histogram;
    for (const Duration duration : durations) histogram.record(duration);
    return histogram;
}

TEST(Spectrum, has_three_columns_for_each_decade_as_high_as_their_share) {
    const Histogram histogram = recorded({1 * us, 2 * us, 3 * us, 4 * us, 4 * us, 9 * us, 10 * us});
    const Spectrum spectrum = spectrum_of(histogram, 1 * us, 10 * us, 6, false);
    EXPECT_EQ(spectrum.bars, ":@::  ");
    EXPECT_EQ(spectrum.labels, "1 us");
}

TEST(Spectrum, columns_are_as_wide_as_there_is_room_for_and_labelled_by_decade) {
    const Spectrum spectrum = spectrum_of(recorded({3 * us, 20 * us}), 3 * us, 20 * us, 200, false);
    EXPECT_EQ(spectrum.bars, "    @@@@        @@@@    ");
    EXPECT_EQ(spectrum.labels, "1 us        10 us");
}

TEST(Spectrum, is_drawn_in_blocks_where_these_can_be_shown) {
    EXPECT_EQ(spectrum_of(recorded({1 * us, 2 * us, 2 * us, 5 * us, 5 * us, 5 * us, 5 * us}), us, us, 3, true).bars,
              "\u2582\u2584\u2588");
}

TEST(Spectrum, whatever_counted_something_has_a_bar) {
    Histogram histogram = recorded({1 * us});
    for (int i = 0; i < 10'000; ++i) histogram.record(2 * us);
    EXPECT_EQ(spectrum_of(histogram, us, us, 3, false).bars, ".@ ");
}

TEST(Spectrum, leaves_labels_out_that_would_touch) {
    const Histogram histogram = recorded({1 * us, 900 * us});
    EXPECT_EQ(spectrum_of(histogram, 1 * us, 900 * us, 9, false).labels, "1 us");
    EXPECT_EQ(spectrum_of(histogram, 1 * us, 900 * us, 18, false).labels, "1 us  10 us 100 us");
}

TEST(Spectrum, takes_what_lies_outside_its_decades_into_the_outermost_columns) {
    EXPECT_EQ(spectrum_of(recorded({0, 5, 90 * second}), 1 * us, 9 * us, 3, false).bars, "@ =");
}

TEST(Spectrum, reaches_from_nanoseconds_to_a_minute) {
    const Spectrum spectrum = spectrum_of(recorded({0, 3'000 * second}), 0, 3'000 * second, 1'000, false);
    EXPECT_EQ(spectrum.bars.size(), 11u * 3 * 4);
    EXPECT_TRUE(spectrum.bars.starts_with("@@@@ ") && spectrum.bars.ends_with(" @@@@")) << spectrum.bars;
    EXPECT_TRUE(spectrum.labels.starts_with("1 ns        10 ns") && spectrum.labels.ends_with(" 10 s"));
}

TEST(Spectrum, is_empty_where_there_is_no_room_or_nothing) {
    EXPECT_EQ(spectrum_of(recorded({us}), us, us, 2, false).bars, "");
    EXPECT_EQ(spectrum_of(Histogram(), us, us, 80, false).bars, "");
}

}  // namespace
}  // namespace ringpost::apps
