#include "tests/bottleneck/link.hpp"

#include <gtest/gtest.h>

namespace ringpost::bottleneck {
namespace {

constexpr double rate = 1e6;  // a packet of 1,000 bytes takes 1 ms

Link::Packet packet_of(std::size_t bytes, std::byte traffic_class = std::byte{0}) {
    Link::Packet packet(bytes);
    packet[0] = std::byte{0x45};
    packet[1] = traffic_class;
    return packet;
}

unsigned header_sum(const Link::Packet& packet) {
    unsigned sum = 0;
    for (std::size_t at = 0; at < 20; at += 2)
        sum += std::to_integer<unsigned>(packet[at]) << 8 | std::to_integer<unsigned>(packet[at + 1]);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

TEST(BottleneckLink, packets_leave_at_the_rate_and_arrive_after_the_delay) {
    Link link({.rate = rate, .delay = 10 * millisecond, .queue_bytes = 10'000}, 1);
    for (int i = 0; i < 3; ++i) link.push(0, packet_of(1'000));
    for (int i = 1; i <= 3; ++i) {
        const Instant due = 10 * millisecond + i * millisecond;
        EXPECT_EQ(link.next(), due);
        EXPECT_FALSE(link.pop(due - 1));
        EXPECT_TRUE(link.pop(due));
    }
    EXPECT_TRUE(link.empty());
    EXPECT_EQ(link.counters().queued_us, 3'000u) << "0, 1 and 2 ms";
}

// However late pop() is called.
TEST(BottleneckLink, a_full_queue_drops_and_the_rate_is_kept) {
    Link link({.rate = rate, .queue_bytes = 5'000}, 1);
    for (int i = 0; i < 20; ++i) link.push(0, packet_of(1'000));
    EXPECT_EQ(link.counters().overflowed, 14u) << "one is on its way, five wait";
    int arrived = 0;
    while (link.pop(second)) ++arrived;
    EXPECT_EQ(arrived, 6);
    for (int i = 0; i < 100; ++i) link.push(second + i * millisecond, packet_of(1'000));
    EXPECT_EQ(link.counters().overflowed, 14u);
    EXPECT_TRUE(link.pop(second + 100 * millisecond));
}

TEST(BottleneckLink, loses_and_delays_by_chance) {
    Link link({.rate = 1e9, .queue_bytes = 1'000'000, .loss = 0.25, .late = 0.5, .late_by = second}, 1);
    for (int i = 0; i < 1'000; ++i) link.push(0, packet_of(1'000));
    int in_time = 0;
    while (link.pop(millisecond * 2)) ++in_time;
    EXPECT_NEAR(static_cast<double>(link.counters().lost), 250, 50);
    EXPECT_NEAR(in_time, 375, 60);
    while (link.pop(2 * second)) {
    }
    EXPECT_EQ(link.counters().packets_out + link.counters().lost, 1'000u);
}

/// 1.25 packets a millisecond for 2 s; the longest time in the queue in the last half second.
Duration standing_queue(const LinkSettings& settings, std::byte traffic_class) {
    Link link(settings, 1);
    for (Instant at = 0; at < 2 * second; at += 800 * microsecond) link.push(at, packet_of(1'000, traffic_class));
    EXPECT_EQ(link.counters().overflowed, 0u);
    const std::uint64_t changed = link.counters().dropped_codel + link.counters().marked;
    EXPECT_EQ(changed > 0, settings.codel);
    EXPECT_EQ(link.counters().marked > 0, settings.ecn && traffic_class != std::byte{0});
    return static_cast<Duration>(link.counters().queued_us / link.counters().packets_in) * microsecond;
}

TEST(BottleneckLink, codel_drops_or_marks_what_waits_too_long) {
    LinkSettings settings{.rate = rate, .queue_bytes = 1'000'000};
    const Duration without = standing_queue(settings, std::byte{2});
    settings.codel = true;
    EXPECT_LT(standing_queue(settings, std::byte{2}), without);
    settings.ecn = true;
    standing_queue(settings, std::byte{2});
    EXPECT_LT(standing_queue(settings, std::byte{0}), without);
}

TEST(BottleneckLink, marks_keep_the_checksum) {
    Link::Packet packet = packet_of(20, std::byte{0x02});
    packet[8] = std::byte{64};
    const unsigned sum = ~header_sum(packet) & 0xffff;
    packet[10] = static_cast<std::byte>(sum >> 8);
    packet[11] = static_cast<std::byte>(sum & 0xff);
    ASSERT_EQ(header_sum(packet), 0xffffu);
    EXPECT_TRUE(mark_congestion(packet));
    EXPECT_EQ(packet[1], std::byte{0x03});
    EXPECT_EQ(header_sum(packet), 0xffffu);
    Link::Packet incapable = packet_of(20);
    EXPECT_FALSE(mark_congestion(incapable));
    Link::Packet six(40);
    six[0] = std::byte{0x60}, six[1] = std::byte{0x20};
    EXPECT_TRUE(mark_congestion(six));
    EXPECT_EQ(six[1], std::byte{0x30});
}

}  // namespace
}  // namespace ringpost::bottleneck
