// now() and choose_clock(). The selected source depends on the machine; the guarantees do not.

#include "engine/os/clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost {
namespace {

/// Tolerates a virtual machine with a slewed CLOCK_MONOTONIC. A wrong rate or offset exceeds it by far.
constexpr Duration error_ns_max = millisecond;
constexpr Duration tracked_for = 100 * millisecond;

/// How far now() is ahead of or behind CLOCK_MONOTONIC: the minimum of many, because interruptions only add.
Duration ahead() {
    Duration least = never;
    for (int i = 0; i < 100; ++i) {
        const Instant before = monotonic_now();
        least = std::min(least, now() - before);
    }
    return least;
}
Duration behind() {
    Duration least = never;
    for (int i = 0; i < 100; ++i) {
        const Instant at = now();
        least = std::min(least, monotonic_now() - at);
    }
    return least;
}

TEST(Clock, the_chosen_source_continues_and_never_goes_back) {
    Instant last = now();
    choose_clock();
    for (int i = 0; i < 1'000'000; ++i) {
        const Instant at = now();
        ASSERT_GE(at, last) << "read " << i;
        last = at;
    }
}

TEST(Clock, the_chosen_source_tracks_the_monotonic_clock) {
    choose_clock();
    const Instant from = monotonic_now();
    for (Duration since = 0; since < tracked_for; since = monotonic_now() - from) {
        ASSERT_LT(ahead(), error_ns_max) << since;
        ASSERT_LT(behind(), error_ns_max) << since;
    }
}

TEST(Clock, choosing_twice_has_no_effect) {
    choose_clock();
    const TscScale before = tsc_scale;
    choose_clock();
    EXPECT_EQ(tsc_scale.start, before.start);
    EXPECT_EQ(tsc_scale.chosen, before.chosen);
}

TEST(Clock, the_report_gives_the_source_and_its_cost) {
    choose_clock();
    const ClockReport report = clock_report();
    EXPECT_EQ(report.source == ClockReport::Source::tsc, tsc_scale.chosen);
    EXPECT_GT(report.read_ns, 0);
    EXPECT_TRUE(report.other_read_ns == 0 || report.read_ns <= report.other_read_ns);
    if (report.source == ClockReport::Source::vdso) {
        EXPECT_EQ(report.error_ns, 0);
        EXPECT_EQ(report.error_ppm, 0);
    }
    EXPECT_LT(std::abs(report.error_ns), error_ns_max);
    EXPECT_EQ(report.error_ns > 0, report.error_ppm > 0);
    EXPECT_LT(std::abs(report.error_ppm), 1e6 * error_ns_max / (20 * millisecond));
}

TEST(Clock, unix_offset_converts_now_to_wall_clock_time) {
    for (int i = 0; i < 2; ++i, choose_clock()) {
        timespec before{}, after{};
        clock_gettime(CLOCK_REALTIME, &before);
        const Instant wall = now() + unix_offset();
        clock_gettime(CLOCK_REALTIME, &after);
        const auto ns = [](const timespec& t) { return Instant{t.tv_sec} * second + t.tv_nsec; };
        // If interrupted, the result may be off by the duration of the whole block.
        const Duration took = ns(after) - ns(before) + microsecond;
        EXPECT_GT(wall, ns(before) - took);
        EXPECT_LT(wall, ns(after) + took);
    }
}

}  // namespace
}  // namespace ringpost
