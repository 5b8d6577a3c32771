#include "codec/recovery/pacer.hpp"

#include <gtest/gtest.h>

namespace ringpost::recovery {
namespace {

TEST(RecoveryPacer, unpaced_without_a_rate) {
    Pacer pacer(1'000);
    EXPECT_FALSE(pacer.paced());
    EXPECT_EQ(pacer.allowance(0), UINT64_MAX);
}

TEST(RecoveryPacer, the_quantum_is_the_least_of_three) {
    Pacer pacer(1'000);
    pacer.set_rate(1e9, 1'000'000'000);
    EXPECT_EQ(pacer.quantum(), 10'000u) << "the burst";
    pacer.set_rate(5e6, 1'000'000'000);
    EXPECT_EQ(pacer.quantum(), 5'000u) << "1 ms";
    pacer.set_rate(1e9, 16'000);
    EXPECT_EQ(pacer.quantum(), 4'000u) << "a quarter of the window";
    pacer.set_rate(1e3, 1'000);
    EXPECT_EQ(pacer.quantum(), 2'000u) << "at least two packets";
}

// Whatever the wake-ups, the rate is kept, and each wake-up finds a quantum.
TEST(RecoveryPacer, keeps_its_rate_in_quanta) {
    for (const double rate : {1e5, 1e7, 1e9, 4e9}) {
        Pacer pacer(1'000);
        pacer.set_rate(rate, 1'000'000'000);
        Instant now = 0;
        std::uint64_t sent = 0, wake_ups = 0;
        while (now < 10 * second && wake_ups < 200'000) {
            std::uint64_t once = 0;
            while (pacer.allowance(now) > 0) {
                pacer.on_sent(1'000);
                once += 1'000;
            }
            ASSERT_GE(once, pacer.quantum() - 1'000) << rate;
            sent += once;
            ++wake_ups;
            ASSERT_GT(pacer.next(now), now);
            now = pacer.next(now);
        }
        const double expected = rate * static_cast<double>(now) / 1e9;
        EXPECT_NEAR(static_cast<double>(sent), expected, rate / 1'000 + 4'000) << rate;
    }
}

TEST(RecoveryPacer, a_late_loop_catches_up_by_a_millisecond) {
    Pacer pacer(1'000);
    pacer.set_rate(1e9, 1'000'000'000);
    while (pacer.allowance(0) > 0) pacer.on_sent(1'000);
    EXPECT_EQ(pacer.allowance(500 * microsecond), 500'000u);
    while (pacer.allowance(500 * microsecond) > 0) pacer.on_sent(1'000);
    EXPECT_EQ(pacer.allowance(10 * second), 1'000'000u);
}

TEST(RecoveryPacer, bursts_grow_and_shrink) {
    Pacer pacer(1'000);
    for (int i = 0; i < 100; ++i) pacer.on_round_without_loss();
    EXPECT_EQ(pacer.burst_packets(), 45u);
    pacer.on_trains_cut(7);
    EXPECT_EQ(pacer.burst_packets(), 7u);
    pacer.on_trains_cut(0);
    EXPECT_EQ(pacer.burst_packets(), 2u);
}

}  // namespace
}  // namespace ringpost::recovery
