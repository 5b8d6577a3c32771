#include "engine/os/device_clock.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace ringpost {
namespace {

Instant reading_of(clockid_t clock) {
    timespec at{};
    clock_gettime(clock, &at);
    return Instant{at.tv_sec} * second + at.tv_nsec;
}

// A clock with an epoch of its own.
TEST(DeviceClock, stamps_become_times_of_the_system) {
    DeviceClock clock(CLOCK_MONOTONIC);
    for (int i = 0; i < 3; ++i) {
        const Instant before = reading_of(CLOCK_REALTIME);
        const Instant stamp = reading_of(CLOCK_MONOTONIC);
        const Instant after = reading_of(CLOCK_REALTIME);
        // Comparing the clocks may be interrupted, so its bounds are wide.
        const Instant at = clock.to_unix(stamp);
        EXPECT_GE(at, before - second);
        EXPECT_LE(at, after + second);
    }
}

TEST(DeviceClock, one_that_cannot_be_read_has_no_times) {
    constexpr clockid_t no_clock = 77;
    EXPECT_EQ(DeviceClock(no_clock).to_unix(5), never);
}

TEST(DeviceClock, loopback_has_none) {
    const auto opened = DeviceClock::open("lo");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, EOPNOTSUPP);
    EXPECT_EQ(opened.error().text, "lo does not stamp what it receives");
    EXPECT_FALSE(DeviceClock::open("no-such-device"));
}

}  // namespace
}  // namespace ringpost
