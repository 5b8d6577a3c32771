// Devices that find each other while adverts with forged sources arrive, thousands a second.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/devices/play.hpp"

namespace ringpost::sim {
namespace {

constexpr Duration interval = 50 * millisecond;
constexpr unsigned adverts_per_interval = 250;  // 5,000 a second, to each device

class Flood {
  public:
    /// One of so many adverts comes from the devices' own network.
    Flood(DevicesPlay& play, unsigned near_every) : play_(play), near_every_(near_every) {}

    /// Adverts to these devices for a second, from ever new networks and from the devices' own.
    void second_for(std::initializer_list<std::size_t> devices) {
        for (Duration passed = 0; passed < second; passed += interval) {
            for (unsigned i = 0; i < adverts_per_interval; ++i) {
                ++sent_;
                const std::string text = (sent_ % 2 == 0 ? "hello:,:z" : "alive:,:A") + std::to_string(sent_);
                const auto source = sent_ % near_every_ == 0 ? Address::v4(10, 0, 0, low(sent_ / near_every_), 3'235)
                                                             : Address::v4(20, low(sent_ / 250), low(sent_), 7, 3'235);
                for (const std::size_t device : devices) {
                    const auto bytes = std::as_bytes(std::span(text));
                    play_[device].handle(play_.network.now(), Datagram{source, 0, bytes});
                    play_.network.wake(device);
                }
            }
            play_.run_for(interval);
        }
    }

  private:
    static std::uint8_t low(unsigned number) { return static_cast<std::uint8_t>(10 + number % 240); }

    DevicesPlay& play_;
    unsigned near_every_, sent_ = 0;
};

void expect_connected(DevicesPlay& play, std::size_t one, std::size_t other) {
    const devices::Peer* found = play.peer(one, DevicesPlay::name_of(other));
    ASSERT_NE(found, nullptr) << one << " does not know " << other;
    EXPECT_TRUE(found->connected) << one << " and " << other;
}

TEST(DevicesStrangers, a_newcomer_and_a_restarted_device_are_connected_within_a_second) {
    DevicesPlay play(1, 3);
    Flood flood(play, 10);
    play.start(0);
    play.start(1);
    flood.second_for({0, 1});
    expect_connected(play, 0, 1);
    play.start(2);
    flood.second_for({0, 1, 2});
    for (std::size_t other : {0u, 1u}) {
        expect_connected(play, 2, other);
        expect_connected(play, other, 2);
    }
    play.kill(1, false);
    flood.second_for({0, 2});
    play.start(1);
    flood.second_for({0, 1, 2});
    expect_connected(play, 0, 1);
    expect_connected(play, 1, 2);
    EXPECT_GT(play[0].counters().names_evicted, 0u);
    EXPECT_EQ(play[0].counters().notices_dropped, 0u);
}

// So many different addresses that a device cannot remember all, and each of its own network often enough to be tried
// again at once if it was forgotten.
TEST(DevicesStrangers, most_addresses_of_the_own_network_do_not_keep_a_newcomer_out) {
    DevicesPlay play(1, 2);
    Flood flood(play, 16);
    play.start(0);
    for (int i = 0; i < 4; ++i) flood.second_for({0});
    EXPECT_GT(play[0].counters().connects_full, 0u);
    play.start(1);
    flood.second_for({0});
    expect_connected(play, 0, 1);
}

}  // namespace
}  // namespace ringpost::sim
