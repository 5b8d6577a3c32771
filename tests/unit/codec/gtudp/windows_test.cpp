#include "codec/gtudp/windows.hpp"

#include <gtest/gtest.h>

namespace ringpost::gtudp {
namespace {

constexpr std::size_t first_window = 10 * 1'472;

Options windows_options(CongestionControl congestion = CongestionControl::cubic) {
    Options options;
    options.peers_max = 4;
    options.sends_max = 64;
    options.congestion = congestion;
    return options;
}

TEST(GtudpWindows, hold_up_what_exceeds_the_window) {
    Windows windows(windows_options());
    Peer peer, other;
    EXPECT_FALSE(windows.holds_up(peer, 0, first_window));
    EXPECT_TRUE(windows.on_sent(0, 0, first_window - 100));
    EXPECT_FALSE(windows.holds_up(peer, 0, 100));
    EXPECT_TRUE(windows.holds_up(peer, 0, 101));
    EXPECT_FALSE(windows.holds_up(other, 1, 101)) << "each peer has its own";
    windows.hold(0, 7, false);
    EXPECT_TRUE(windows.holds_up(peer, 0, 1)) << "not before those that wait";
    EXPECT_EQ(windows.open_peer(), none);
    windows.leave(0, first_window - 100);
    EXPECT_EQ(windows.open_peer(), 0u);
    EXPECT_TRUE(windows.has_room(0, 101));
}

TEST(GtudpWindows, a_datagram_larger_than_the_window_leaves_alone) {
    Windows windows(windows_options());
    Peer peer;
    EXPECT_FALSE(windows.holds_up(peer, 0, 65'000));
    windows.on_sent(0, 0, 65'000);
    EXPECT_TRUE(windows.holds_up(peer, 0, 1));
}

TEST(GtudpWindows, what_is_sent_again_goes_first) {
    Windows windows(windows_options());
    Peer peer;
    EXPECT_FALSE(windows.holds_up(peer, 0, first_window));
    windows.hold(0, 1, false);
    windows.hold(0, 2, true);
    windows.hold(0, 3, true);
    windows.release(0, 3, true);
    EXPECT_EQ(windows.first_held(0), 2u);
    windows.release(0, 2, true);
    EXPECT_EQ(windows.first_held(0), 1u);
    windows.release(0, 1, false);
    EXPECT_EQ(windows.first_held(0), none);
}

TEST(GtudpWindows, grow_by_what_is_confirmed_and_shrink_by_losses) {
    Windows windows(windows_options());
    Peer peer;
    peer.rtt.sample(10 * millisecond, 0);
    EXPECT_FALSE(windows.holds_up(peer, 0, first_window));
    windows.on_sent(1, 0, first_window);
    windows.leave(0, first_window / 2);
    windows.on_confirmed(10 * millisecond, 0, {5, first_window / 2, 1}, true, peer.rtt);
    EXPECT_TRUE(windows.has_room(0, first_window)) << "slow start";
    EXPECT_FALSE(windows.has_room(0, first_window + 1));
    windows.on_lost(20 * millisecond, 0, first_window / 2, 1, false);
    windows.on_sent(20 * millisecond, 0, 1);
    EXPECT_TRUE(windows.has_room(0, first_window * 3 / 2 * 7 / 10 - 2));
    EXPECT_FALSE(windows.has_room(0, first_window * 3 / 2 * 7 / 10 + 1));
    windows.on_late(21 * millisecond, 0);
    EXPECT_TRUE(windows.has_room(0, first_window * 3 / 2 - 1)) << "it was not lost";
}

// Two were lost: only one of them came late.
TEST(GtudpWindows, a_reduction_is_undone_only_if_all_its_losses_come_late) {
    Windows windows(windows_options());
    Peer peer;
    EXPECT_FALSE(windows.holds_up(peer, 0, first_window));
    for (int i = 0; i < 3; ++i) windows.on_sent(1, 0, 100);
    for (int i = 0; i < 2; ++i) windows.on_lost(20 * millisecond, 0, 100, 1, false);
    windows.on_late(21 * millisecond, 0);
    EXPECT_FALSE(windows.has_room(0, first_window * 8 / 10));
    windows.on_late(21 * millisecond, 0);
    EXPECT_TRUE(windows.has_room(0, first_window * 8 / 10));
}

TEST(GtudpWindows, a_new_peer_in_the_same_place_starts_anew) {
    Windows windows(windows_options());
    Peer peer, next;
    EXPECT_FALSE(windows.holds_up(peer, 0, first_window));
    windows.on_sent(1, 0, first_window);
    windows.hold(0, 1, false);
    windows.leave(0, first_window);
    windows.release(0, 1, false);
    EXPECT_EQ(windows.open_peer(), 0u);
    EXPECT_FALSE(windows.holds_up(next, 0, first_window));
    windows.on_sent(1, 0, first_window);
    windows.hold(0, 2, false);
    windows.leave(0, first_window);
    EXPECT_EQ(windows.open_peer(), 0u);
    windows.pass_peer();
    EXPECT_EQ(windows.open_peer(), none) << "queued once";
}

TEST(GtudpWindows, fixed_counts_nothing) {
    Windows windows(windows_options(CongestionControl::fixed));
    Peer peer;
    EXPECT_FALSE(windows.holds_up(peer, 0, 1 << 30));
    EXPECT_FALSE(windows.on_sent(0, 0, 1 << 30));
    windows.on_late(0, 0);
}

}  // namespace
}  // namespace ringpost::gtudp
